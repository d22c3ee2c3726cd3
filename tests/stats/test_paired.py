"""Pairs over processes: the medians, the intervals and the verdicts, on small cases and on a generator of noise."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from profiler.model.verdict import Verdict
from profiler.stats.paired import (
    PairedEstimate,
    Precision,
    ProcessCost,
    Round,
    estimate_pair,
    is_precise,
    summarise_rounds,
)

FLOOR = 0.02
EXPERIMENTS = 500


def cost(before: float, saved: float, *, null: float = 10.0, twin: float = 0.0) -> ProcessCost:
    return ProcessCost(null=null, before=before, after=before - saved, saved=saved, twin=twin, rounds=100)


def estimate(
    processes: list[ProcessCost], *, floor: float = FLOOR, target: float = 0.01, same: float = 0.01
) -> PairedEstimate:
    return estimate_pair(processes, floor=floor, precision=Precision(target=target, same=same))


def experiments(
    seed: int, *, before_ns: float, after_ns: float, count: int = EXPERIMENTS, processes: int = 12, rounds: int = 60
) -> Iterator[list[ProcessCost]]:
    """What a shared machine does to a pair.

    Each process has a speed of its own, a layout effect for each arm, a drift that all arms of a round share, noise for
    each batch, and now and then a preemption that multiplies one batch.
    """
    source = np.random.default_rng(seed)
    true_ns = np.array([10.0, 10.0 + before_ns, 10.0 + before_ns, 10.0 + after_ns])
    for _ in range(count):
        speed = np.exp(0.02 * source.standard_normal((processes, 1, 1)))
        layout = 1 + 0.004 * source.standard_normal((processes, 1, 4))
        drift = np.exp(np.cumsum(0.01 * source.standard_normal((processes, rounds, 1)), axis=1))
        batch = 1 + 0.01 * np.abs(source.standard_normal((processes, rounds, 4)))
        preempted = np.where(
            source.random((processes, rounds, 4)) < 0.03, 1 + source.exponential(2, (processes, rounds, 4)), 1
        )
        ns = true_ns * speed * layout * drift * batch * preempted
        null, before, twin, after = (ns[..., arm] for arm in range(4))
        yield [
            ProcessCost(null=n, before=b, after=a, saved=s, twin=t, rounds=rounds)
            for n, b, a, s, t in zip(
                np.median(null, axis=1).tolist(),
                np.median(before - null, axis=1).tolist(),
                np.median(after - null, axis=1).tolist(),
                np.median(before - after, axis=1).tolist(),
                np.median(twin - before, axis=1).tolist(),
                strict=True,
            )
        ]


def test_medians_are_taken_of_differences_within_rounds() -> None:
    rounds = [
        Round(null=1.0, before=5.0, twin=5.5, after=3.0),
        Round(null=10.0, before=14.0, twin=14.5, after=12.0),  # the machine was slow for the whole round: cancels
        Round(null=1.0, before=500.0, twin=5.0, after=3.0),  # a preemption: forgotten
    ]
    assert summarise_rounds(rounds) == ProcessCost(null=1.0, before=4.0, after=2.0, saved=2.0, twin=0.5, rounds=3)
    with pytest.raises(ValueError, match="no rounds"):
        summarise_rounds([])


def test_intervals_agree_with_scipy() -> None:
    saved = [4.1, 3.9, 4.4, 4.0, 3.7]
    result = estimate([cost(9.0 + 0.1 * index, value) for index, value in enumerate(saved)])
    reference = scipy_stats.ttest_1samp(saved, 0).confidence_interval()
    assert (result.saved.low, result.saved.high) == pytest.approx((reference.low, reference.high), rel=1e-9)


@pytest.mark.parametrize(
    ("saved", "same", "verdict"),
    [
        ([5.0, 5.1, 4.9, 5.0], 0.01, Verdict.DIFFERENT),
        ([-5.0, -5.1, -4.9, -5.0], 0.01, Verdict.DIFFERENT),
        ([0.10, -0.12, 0.05, -0.02], 0.01, Verdict.SAME),
        ([0.50, 0.51, 0.49, 0.50], 0.01, Verdict.SAME),  # real, but inside the band of 1.1 ns
        ([0.50, 0.51, 0.49, 0.50], 0.001, Verdict.DIFFERENT),
        ([9.0, -7.0, 3.0, -2.0], 0.01, Verdict.NOT_ENOUGH_DATA),
        ([5.0], 0.01, Verdict.NOT_ENOUGH_DATA),
    ],
)
def test_verdicts(saved: list[float], same: float, verdict: Verdict) -> None:
    result = estimate([cost(100.0, value) for value in saved], same=same)
    assert result.verdict is verdict


def test_a_difference_within_the_reach_of_the_twin_is_not_believed() -> None:
    processes = [cost(100.0, 2.0 + noise, twin=3.0 + noise) for noise in (-0.1, 0.0, 0.1, 0.05)]
    result = estimate(processes)
    assert result.verdict is Verdict.NOT_ENOUGH_DATA
    assert any("A/A twin" in warning for warning in result.warnings)


def test_how_much_more_is_needed_is_said() -> None:
    processes = [cost(100.0, value) for value in (9.0, -7.0, 3.0, -2.0)]
    result = estimate(processes)
    half = result.saved.half_width
    assert result.more_processes == math.ceil(4 * (half / (0.01 * 110.0)) ** 2) - 4
    assert estimate([cost(100.0, 5.0), cost(100.0, 5.0)]).more_processes == 0


def test_stopping_looks_at_the_width_alone() -> None:
    wanted = Precision(target=0.01)
    narrow, wide = [(0.0, 0.01), (3.0, 3.01)], [(0.0, 30.0), (3.0, 33.0)]
    for pair in narrow:
        assert is_precise([cost(100.0, value) for value in pair], floor=FLOOR, precision=wanted)
    for pair in wide:
        assert not is_precise([cost(100.0, value) for value in pair], floor=FLOOR, precision=wanted)
    assert not is_precise([cost(100.0, 1.0)], floor=FLOOR, precision=wanted)


def test_an_empty_body_has_no_ratio() -> None:
    result = estimate([cost(value, -value / 2) for value in (0.01, -0.02, 0.005, -0.01)])
    assert result.ratio is None
    assert result.verdict is Verdict.SAME
    assert any("empty loop" in warning for warning in result.warnings)


def test_nothing_below_the_step_of_the_clock_is_a_difference() -> None:
    result = estimate([cost(0.05, 0.030 + noise) for noise in (-0.0001, 0.0, 0.0001)], floor=0.04)
    assert result.verdict is not Verdict.DIFFERENT


@pytest.mark.parametrize(("before_ns", "after_ns"), [(50.0, 50.0), (100.0, 97.0), (800.0, 40.0)])
def test_coverage_of_the_intervals(before_ns: float, after_ns: float) -> None:
    saved = ratio = 0
    # The generator's one-sided noise and its preemptions scale all arms alike: the median batch costs so much more.
    inflation = 1 + 0.01 * scipy_stats.halfnorm.median()
    for processes in experiments(1, before_ns=before_ns, after_ns=after_ns):
        result = estimate(processes)
        assert result.saved.low is not None and result.saved.high is not None
        saved += result.saved.low <= (before_ns - after_ns) * inflation <= result.saved.high
        assert result.ratio is not None and result.ratio.low is not None and result.ratio.high is not None
        ratio += result.ratio.low <= before_ns / after_ns <= result.ratio.high
    assert 0.92 <= saved / EXPERIMENTS <= 0.98
    assert 0.92 <= ratio / EXPERIMENTS <= 0.98


def test_identical_code_is_rarely_called_different() -> None:
    found = [estimate(processes, same=0.0) for processes in experiments(2, before_ns=50.0, after_ns=50.0)]
    assert sum(result.verdict is Verdict.DIFFERENT for result in found) <= 0.05 * EXPERIMENTS


def test_stopping_on_precision_keeps_the_false_alarms_rare() -> None:
    different = 0
    for processes in experiments(3, before_ns=50.0, after_ns=50.0, processes=40, count=300):
        wanted = Precision(target=0.004, same=0.0)
        needed = next((n for n in range(12, 40) if is_precise(processes[:n], floor=FLOOR, precision=wanted)), 40)
        result = estimate_pair(processes[:needed], floor=FLOOR, precision=wanted)
        different += result.verdict is Verdict.DIFFERENT
    assert different <= 0.05 * 300


def test_a_doubled_body_reads_two() -> None:
    for processes in experiments(4, before_ns=60.0, after_ns=30.0, count=50):
        result = estimate(processes)
        assert result.ratio is not None
        assert result.ratio.value == pytest.approx(2.0, abs=0.1)
        assert result.verdict is Verdict.DIFFERENT


COSTS = st.lists(
    st.builds(
        cost,
        before=st.floats(1.0, 1e5),
        saved=st.floats(-1e4, 1e4),
        null=st.floats(0.1, 100.0),
        twin=st.floats(-10.0, 10.0),
    ),
    min_size=2,
    max_size=20,
)


@given(COSTS)
def test_swapping_the_sides_turns_the_sign_and_keeps_the_verdict(processes: list[ProcessCost]) -> None:
    swapped = [
        msgspec.structs.replace(entry, before=entry.after, after=entry.before, saved=-entry.saved)
        for entry in processes
    ]
    there, back = estimate(processes), estimate(swapped)
    assert back.verdict is there.verdict
    assert back.saved.value == pytest.approx(-there.saved.value, rel=1e-6, abs=1e-6)
    if there.ratio is not None and back.ratio is not None:
        assert back.ratio.value == pytest.approx(1 / there.ratio.value, rel=1e-6)


@given(COSTS, st.sampled_from([0.125, 0.5, 4.0, 1024.0]))
def test_the_unit_does_not_matter(processes: list[ProcessCost], factor: float) -> None:
    scaled = [
        ProcessCost(
            null=entry.null * factor,
            before=entry.before * factor,
            after=entry.after * factor,
            saved=entry.saved * factor,
            twin=entry.twin * factor,
            rounds=entry.rounds,
        )
        for entry in processes
    ]
    one, other = estimate(processes), estimate(scaled, floor=FLOOR * factor)
    assert other.verdict is one.verdict
    assert other.saved.value == pytest.approx(one.saved.value * factor, rel=1e-9)
    assert (one.ratio is None) == (other.ratio is None)


@given(COSTS)
def test_the_order_of_processes_does_not_matter(processes: list[ProcessCost]) -> None:
    assert estimate(processes[::-1]).saved == estimate(processes).saved


def test_an_estimate_survives_json() -> None:
    result = estimate([cost(100.0, value) for value in (5.0, 5.1, 4.9)])
    assert msgspec.json.decode(msgspec.json.encode(result), type=PairedEstimate) == result
