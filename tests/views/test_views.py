"""Pictures and the views cut from them: sums, shares, intervals, folding, filters."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import FRAMES, MS, SHOTS, Shot, make_metadata, make_profile

from profiler.errors import UsageError
from profiler.model.frame import Language
from profiler.model.profile import NO_BLOCK
from profiler.stats.ratio import ratio_estimate
from profiler.views.basis import PER_REQUEST, PER_SECOND, PLAIN
from profiler.views.heaviest import heaviest_path
from profiler.views.language_bar import bar_cells, language_shares
from profiler.views.picture import Choice, Picture, make_picture
from profiler.views.summary import summarise
from profiler.views.table import function_rows, function_weights
from profiler.views.threads import thread_rows
from profiler.views.tree import ROOT, build_tree

MEASURED = [shot for shot in SHOTS if shot.block != NO_BLOCK]


def picture(choice: Choice | None = None, **metadata: object) -> Picture:
    return make_picture(make_profile(), make_metadata(**metadata), "perf", choice)  # type: ignore[arg-type]


def row(picture: Picture, name: str) -> tuple[float, float]:
    """(self, total) in milliseconds of a function."""
    own, total = function_weights(picture)
    (index,) = (number for number, frame in enumerate(picture.frames) if frame.name == name)
    return own[index] / MS, total[index] / MS


def test_only_samples_in_measured_blocks_count() -> None:
    assert picture().total_ns == sum(shot.weight_ns for shot in MEASURED)
    assert "sys_sendto" in {frame.name for frame in picture().frames}
    assert 555 not in picture().samples.tid


def test_frames_are_merged_to_functions_unless_lines_are_asked_for() -> None:
    merged = [frame for frame in picture().frames if frame.name == "hello"]
    by_line = [frame for frame in picture(Choice(by_line=True)).frames if frame.name == "hello"]
    assert [frame.line for frame in merged] == [0]
    assert [frame.line for frame in by_line] == [12, 13]


def test_self_and_total_time_with_recursion_counted_once() -> None:
    assert row(picture(), "hello") == (6, 10)
    assert row(picture(), "_PyEval_EvalFrameDefault") == (0, 10)
    assert row(picture(), "_start") == (0, 18)


def test_folding_gives_plumbing_time_to_its_caller_and_keeps_a_lone_leaf() -> None:
    folded = picture(Choice(fold=True))
    assert folded.total_ns == picture().total_ns
    assert row(folded, "_start") == (1, 18)
    assert row(folded, "tokio::runtime::task::poll") == (2, 2), "nothing to fold into"
    assert language_shares(folded) == language_shares(picture()), "languages are judged before folding"


def test_a_figure_is_weight_over_requests_of_the_blocks_of_this_sampler() -> None:
    basis = picture().basis
    assert (basis.unit, basis.requests) == (PER_REQUEST, 1500)
    assert basis.value(24 * MS) == pytest.approx(24_000 / 1500)


def test_without_requests_the_unit_is_seconds_per_second_and_without_blocks_plain_seconds() -> None:
    assert picture(requests=0).basis.unit == PER_SECOND
    assert picture(requests=0).basis.value(24 * MS) == pytest.approx(0.024 / 0.75)
    bare = msgspec.structs.replace(make_metadata(), blocks=())
    everything = make_picture(make_profile(), bare, "perf")
    assert everything.basis.unit == PLAIN
    assert everything.total_ns == sum(shot.weight_ns for shot in SHOTS), "an imported capture has no blocks: all counts"
    assert everything.basis.estimate([5e9]).low is None


def test_intervals_are_the_ratio_estimators_over_blocks() -> None:
    (hello,) = (entry for entry in function_rows(picture(), 20) if entry.frame.name == "hello")
    expected = ratio_estimate([4000, 2000, 0], [500, 500, 500], PER_REQUEST)
    assert hello.self_time == expected


def test_many_windows_are_the_units_of_the_interval_not_their_blocks() -> None:
    assert len(picture(blocks=12).basis.denominators) == 6
    blocks = tuple(msgspec.structs.replace(block, window=block.index // 6) for block in make_metadata(blocks=36).blocks)
    few = make_picture(make_profile(), msgspec.structs.replace(make_metadata(), blocks=blocks), "perf")
    assert len(few.basis.denominators) == 6, "18 blocks of the sampler in 6 windows"


def test_rows_come_in_order_and_top_limits_them() -> None:
    rows = function_rows(picture(), 3)
    assert rows[0].frame.name == "hello"
    assert [entry.self_share for entry in rows] == sorted((entry.self_share for entry in rows), reverse=True)
    assert len(rows) == 3
    assert function_rows(picture(), 1, "total")[0].frame.name == "_start"


def test_languages_are_judged_by_the_leaf() -> None:
    shares = {entry.language: entry.share for entry in language_shares(picture())}
    assert shares[Language.KERNEL] == pytest.approx(4 / 24)
    assert shares[Language.CPYTHON] == 0
    assert math.fsum(shares.values()) == pytest.approx(1)


def test_threads_are_listed_heaviest_first_with_names() -> None:
    rows = thread_rows(picture())
    assert [(entry.tid, entry.weight_ns // MS) for entry in rows] == [(100, 10), (101, 8), (200, 4), (102, 2)]
    assert rows[1].label == "worker;1 100/101"


def test_the_heaviest_path_stops_where_time_stays() -> None:
    path = heaviest_path(picture())
    assert [step.frame.name for step in path] == ["_start", "_PyEval_EvalFrameDefault", "hello"]
    assert path[-1].total_time == pytest.approx(10_000 / 1500)


def test_threads_and_processes_can_be_chosen_and_a_wrong_one_is_named() -> None:
    assert picture(Choice(thread="worker;1")).total_ns == 10 * MS
    assert picture(Choice(thread="101")).total_ns == 8 * MS
    assert picture(Choice(process=200)).total_ns == 4 * MS
    with pytest.raises(UsageError, match="no sample of a thread 'wroker'") as error:
        picture(Choice(thread="wroker"))
    assert "helper, server, worker;1" in str(error.value.hint)
    with pytest.raises(UsageError, match="no sample of process 7"):
        picture(Choice(process=7))


def test_a_capture_without_samples_is_no_error() -> None:
    summary = summarise(make_profile(()), make_metadata(), "perf", choice=Choice(), top=5)
    assert (summary.total, summary.samples, summary.by_self, summary.languages, summary.heaviest) == (0, 0, (), (), ())


shots = st.lists(
    st.builds(
        Shot,
        stack=st.lists(st.sampled_from(sorted(FRAMES)), min_size=1, max_size=8).map(" ".join),
        weight_ns=st.integers(1, 10 * MS),
        block=st.sampled_from([NO_BLOCK, 1, 3, 5]),
        tid=st.integers(1, 4),
    ),
    max_size=30,
)


@given(shots, st.booleans(), st.booleans())
def test_no_weight_is_lost_by_any_view(some: list[Shot], fold: bool, by_line: bool) -> None:
    seen = make_picture(make_profile(some), make_metadata(), "perf", Choice(fold=fold, by_line=by_line))
    expected = sum(shot.weight_ns for shot in some if shot.block != NO_BLOCK)
    tree = build_tree(seen)
    own, total = function_weights(seen)
    assert seen.total_ns == tree.total_ns[ROOT] == int(own.sum()) == expected
    assert all(own <= total)
    assert sum(entry.weight_ns for entry in thread_rows(seen)) == expected
    assert len(set(seen.stacks)) == len(seen.stacks)
    for node in range(1, len(tree)):
        assert tree.parent[node] < node
    for node, children in enumerate(tree.children):
        assert tree.total_ns[node] == tree.self_ns[node] + sum(tree.total_ns[child] for child in children)


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=6), st.integers(1, 200))
def test_the_cells_of_a_bar_add_to_its_width(parts: list[float], width: int) -> None:
    shares = [part / math.fsum(parts) for part in parts]
    cells = bar_cells(shares, width)
    assert sum(cells) == width
    assert all(abs(count - share * width) <= 1 for count, share in zip(cells, shares, strict=True))


def test_wall_time_is_never_called_cpu() -> None:
    metadata = make_metadata()
    wall = msgspec.structs.replace(metadata, captures=(msgspec.structs.replace(metadata.captures[0], clock="wall"),))
    summary = summarise(make_profile(), wall, "perf", choice=Choice(), top=1)
    assert summary.weight == "16.00 µs of off-CPU wall time per request over 1,500 requests"
    assert summary.unit == "µs off-CPU wall time per request"
    assert "off-CPU wall time" in summary.title
