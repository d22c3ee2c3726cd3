"""What every exporter keeps: stacks and weights, by its own format's rules."""

from __future__ import annotations

from collections import Counter

import pytest
from decoded import decode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import FRAMES, MS, SHOTS, Shot, make_metadata, make_profile

from profiler.errors import UsageError
from profiler.export import EXPORTERS, FORMATS, find_exporter
from profiler.export.base import Exporter
from profiler.model.profile import NO_BLOCK
from profiler.views.picture import Choice, Picture, make_picture

ALL = pytest.mark.parametrize("exporter", EXPORTERS, ids=FORMATS)
READABLE = [exporter for exporter in EXPORTERS if exporter.name != "svg"]


def picture(exporter: Exporter, shots: tuple[Shot, ...] | list[Shot] = SHOTS, *, fold: bool = False) -> Picture:
    return make_picture(make_profile(shots), make_metadata(), "perf", Choice(by_line=exporter.by_line, fold=fold))


def names(shot: Shot) -> tuple[str, ...]:
    return tuple(FRAMES[key].name for key in shot.stack.split())


def test_formats_are_those_of_the_documentation_and_an_unknown_one_is_named() -> None:
    assert FORMATS == ("speedscope", "folded", "pprof", "firefox", "svg", "json")
    assert len({exporter.suffix for exporter in EXPORTERS}) == len(EXPORTERS)
    with pytest.raises(UsageError, match="no export format 'svgz'"):
        find_exporter("svgz")


@pytest.mark.parametrize("exporter", READABLE, ids=lambda exporter: exporter.name)
@given(
    st.lists(
        st.builds(
            Shot,
            stack=st.lists(st.sampled_from(sorted(FRAMES)), min_size=1, max_size=7).map(" ".join),
            weight_ns=st.integers(1, 5 * MS),
            block=st.sampled_from([1, 3, 5]),
            tid=st.integers(1, 3),
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_stacks_and_weights_are_kept(exporter: Exporter, shots: list[Shot]) -> None:
    expected: Counter[tuple[str, ...]] = Counter()
    for shot in shots:
        expected[names(shot)] += shot.weight_ns
    if exporter.name == "folded":
        expected = Counter({tuple(name.replace(";", ":") for name in key): weight for key, weight in expected.items()})
    assert decode(exporter.name, exporter.encode(picture(exporter, shots))) == expected


@ALL
def test_the_same_picture_gives_the_same_bytes(exporter: Exporter) -> None:
    assert exporter.encode(picture(exporter)) == exporter.encode(picture(exporter))


@ALL
def test_a_picture_without_samples_gives_a_valid_empty_file(exporter: Exporter) -> None:
    data = exporter.encode(picture(exporter, ()))
    if exporter.name == "svg":
        assert b"no samples in measured blocks" in data
    else:
        assert decode(exporter.name, data) == Counter()


@ALL
def test_samples_outside_measured_blocks_are_left_out(exporter: Exporter) -> None:
    without = [shot for shot in SHOTS if shot.block != NO_BLOCK]
    left = exporter.encode(picture(exporter))
    right = exporter.encode(picture(exporter, without))
    if exporter.name == "svg":
        assert left == right
    else:
        assert decode(exporter.name, left) == decode(exporter.name, right)
