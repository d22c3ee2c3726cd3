"""What every sampler keeps to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from profiler.errors import UsageError
from profiler.model.launch import Launch
from profiler.samplers import LADDER, SAMPLERS, Sampler, SamplerOptions, find_sampler

LAUNCH = Launch(argv=(sys.executable, "app.py"), env={"A": "1"}, python=sys.executable)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.name)
def test_a_sampler_changes_the_launch_only_where_it_says_so(sampler: Sampler, tmp_path: Path) -> None:
    assert find_sampler(sampler.name) is sampler
    assert sampler.window_s > 0
    wrapped = sampler.wrap(LAUNCH, SamplerOptions(hz=sampler.default_hz or 1), tmp_path)
    assert (wrapped != LAUNCH) == sampler.inside
    assert bool(sampler.distortion) == sampler.inside


def test_names_differ_and_the_ladder_knows_them() -> None:
    names = [sampler.name for sampler in SAMPLERS]
    assert len(set(names)) == len(names)
    assert set(LADDER) <= set(names)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        find_sampler("dtrace")
    assert caught.value.hint is not None and "py-spy" in caught.value.hint


def test_none_samples_nothing(tmp_path: Path) -> None:
    session = find_sampler("none").attach([1], SamplerOptions(), tmp_path)
    session.on()
    session.off()
    assert len(session.finish().samples) == 0
    assert list(tmp_path.iterdir()) == []
