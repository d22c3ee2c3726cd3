"""A before/after pair measured side by side in several fresh processes: costs, saving, ratio and verdict.

Three steps, each with its own statistic:
1. inside a process, medians over rounds. A round runs one short batch of every arm (empty loop, before, the twin of
   before, after), so a difference taken within a round cancels whatever the machine did to that round, and the median
   over rounds forgets the rounds that were hit by a preemption;
2. across processes, means with Student t intervals. The process is the unit of replication: memory layout and hash seed
   are drawn anew by each, and rounds of one process are no independent samples;
3. a verdict on the saving, held against the same pair's own A/A twin and the step of the clock.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from profiler.model.estimate import Estimate
from profiler.model.verdict import Verdict
from profiler.stats.student_t import mean_interval
from profiler.stats.verdict import judge, units_still_needed

UNIT = "ns/call"
RESOLVED_AT = 3.0  # a net cost below so many standard errors can't be told from an empty loop, and gives no ratio


class Round(NamedTuple):
    """One batch of every arm, ns per call, loop included."""

    null: float
    before: float
    twin: float
    after: float


class ProcessCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one fresh process contributes: medians over its rounds, ns per call."""

    null: float
    """The empty loop."""
    before: float
    """Before, net of the empty loop."""
    after: float
    """After, net of the empty loop."""
    saved: float
    """before - after within rounds: closer than the difference of the two medians, and equal to it but for noise."""
    twin: float
    """twin - before, within rounds: the same code twice, so 0 but for the instrument's own error."""
    rounds: int


class PairedEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """A pair under one condition (hot or cold caches). Costs in ns per call, net of the empty loop."""

    null: Estimate
    before: Estimate
    after: Estimate
    saved: Estimate
    ratio: Estimate | None
    """before ÷ after; None where one of the two can't be told from an empty loop."""
    twin: Estimate
    """The A/A check: its interval covers 0 in 19 of 20 pairs."""
    verdict: Verdict
    more_processes: int
    """How many more processes would bring the interval of `saved` to the precision asked for; 0 when it is there."""
    floor: float
    """ns per call: the smallest step of the clock divided by the calls of a batch; nothing below it is resolved."""
    same: float
    """ns per call: half-width of the band that counts as the same."""
    warnings: tuple[str, ...] = ()


class Precision(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of an estimate, as shares of the dearer side's time, the empty loop included.

    The loop is included because it is part of what is timed: a share of a net cost near 0 could never be reached.
    """

    target: float = 0.01
    """Half-width of the saving's interval at which measuring stops."""
    same: float = 0.01
    """Half-width of the band that counts as the same."""


def summarise_rounds(rounds: Sequence[Round]) -> ProcessCost:
    """The medians of one process.

    Raises:
        ValueError: no rounds.
    """
    if not rounds:
        raise ValueError("no rounds: a process must complete at least one")
    return ProcessCost(
        null=statistics.median(entry.null for entry in rounds),
        before=statistics.median(entry.before - entry.null for entry in rounds),
        after=statistics.median(entry.after - entry.null for entry in rounds),
        saved=statistics.median(entry.before - entry.after for entry in rounds),
        twin=statistics.median(entry.twin - entry.before for entry in rounds),
        rounds=len(rounds),
    )


def is_precise(processes: Sequence[ProcessCost], *, floor: float, precision: Precision) -> bool:
    """Whether measuring may stop: asked of the interval's width alone, never of its place (that would be peeking)."""
    if len(processes) < 2:
        return False
    _, half = mean_interval([process.saved for process in processes])
    return half <= _share(processes, floor, precision.target)


def estimate_pair(processes: Sequence[ProcessCost], *, floor: float, precision: Precision) -> PairedEstimate:
    """Intervals and verdict over fresh processes.

    Raises:
        ValueError: no process.
    """
    saved = _mean([process.saved for process in processes])
    twin = _mean([process.twin for process in processes])
    before = _mean([process.before for process in processes])
    after = _mean([process.after for process in processes])
    same = _share(processes, floor, precision.same)
    verdict = judge(saved, same=same, least=max(floor, _reach(twin)))
    target = _share(processes, floor, precision.target)
    return PairedEstimate(
        null=_mean([process.null for process in processes]),
        before=before,
        after=after,
        saved=saved,
        ratio=_ratio(processes),
        twin=twin,
        verdict=verdict,
        more_processes=units_still_needed(saved, target) or 0,
        floor=floor,
        same=same,
        warnings=tuple(_doubts(processes, saved=saved, twin=twin, verdict=verdict, floor=floor)),
    )


def _mean(values: Sequence[float]) -> Estimate:
    mean, half = mean_interval(values)
    if math.isinf(half):
        return Estimate(
            value=mean, low=None, high=None, n=len(values), unit=UNIT, warnings=("one process: no interval",)
        )
    return Estimate(value=mean, low=mean - half, high=mean + half, n=len(values), unit=UNIT)


def _share(processes: Sequence[ProcessCost], floor: float, share: float) -> float:
    """`share` of the dearer side's time in ns per call, but no less than the clock resolves."""
    before = math.fsum(process.null + process.before for process in processes)
    after = math.fsum(process.null + process.after for process in processes)
    return max(floor, share * max(before, after) / len(processes))


def _reach(twin: Estimate) -> float:
    """How far from 0 the A/A interval extends: no smaller difference is believed."""
    return 0.0 if twin.low is None or twin.high is None else max(-twin.low, twin.high)


def _ratio(processes: Sequence[ProcessCost]) -> Estimate | None:
    """before ÷ after on the log scale; None unless both are resolved in every process and in the mean."""
    befores, afters = [process.before for process in processes], [process.after for process in processes]
    if not (_is_resolved(befores) and _is_resolved(afters)):
        return None
    logs = [math.log(before / after) for before, after in zip(befores, afters, strict=True)]
    mean, half = mean_interval(logs)
    if math.isinf(half):
        return Estimate(value=math.exp(mean), low=None, high=None, n=1, unit="before/after")
    return Estimate(
        value=math.exp(mean), low=math.exp(mean - half), high=math.exp(mean + half), n=len(logs), unit="before/after"
    )


def _is_resolved(costs: Sequence[float]) -> bool:
    if min(costs) <= 0:
        return False
    if len(costs) < 2:
        return True
    return statistics.fmean(costs) > RESOLVED_AT * statistics.stdev(costs) / math.sqrt(len(costs))


def _doubts(
    processes: Sequence[ProcessCost], *, saved: Estimate, twin: Estimate, verdict: Verdict, floor: float
) -> list[str]:
    doubts = []
    if twin.low is not None and twin.high is not None and (twin.low > floor or twin.high < -floor):
        doubts.append(f"the A/A twin reads {twin.value:+.3g} ns where 0 is true: smaller differences mean nothing")
    for name, costs in (
        ("before", [process.before for process in processes]),
        ("after", [process.after for process in processes]),
    ):
        if not _is_resolved(costs):
            doubts.append(f"{name} can't be told from an empty loop: no ratio")
    excludes_zero = saved.low is not None and saved.high is not None and (saved.low > 0 or saved.high < 0)
    if verdict is Verdict.SAME and excludes_zero and abs(saved.value) > floor:
        doubts.append("0 is excluded, but the whole interval lies inside the band of the same")
    if _is_skewed([process.saved for process in processes]):
        doubts.append("a few processes differ from the rest: the trimmed mean is more than one standard error away")
    return doubts


def _is_skewed(values: Sequence[float]) -> bool:
    cut = len(values) // 5
    if cut == 0:
        return False
    error = statistics.stdev(values) / math.sqrt(len(values))
    trimmed = statistics.fmean(sorted(values)[cut:-cut])
    return abs(statistics.fmean(values) - trimmed) > error > 0
