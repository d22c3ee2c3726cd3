"""Two variants, trials in turn: is there a difference in CPU per request?

Each pair is one trial of either variant on a fresh start of the target, in an order drawn anew for every pair. Drift of
the machine cancels within pairs; layout and hash seed are drawn anew with every process. The verdict has three values.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from profiler.model.estimate import Estimate
from profiler.model.run import RunMetadata
from profiler.model.verdict import Verdict
from profiler.stats.ratio import relative_change
from profiler.stats.verdict import judge

Trial = Callable[[str], RunMetadata]
"""Runs one trial of the named variant on a fresh start of the target."""


class PairResult(msgspec.Struct, frozen=True, kw_only=True):
    """What comparing two variants found."""

    base: str
    variant: str
    base_cpu: tuple[float, ...]
    """CPU µs per request of each trial, in order of the pairs."""
    variant_cpu: tuple[float, ...]
    change: Estimate
    """Relative change of CPU per request from base to variant."""
    verdict: Verdict


def compare_pair(
    trial: Trial,
    base: str,
    variant: str,
    *,
    pairs: int,
    seed: int,
    same_within: float,
    progress: Callable[[int, int, str], None],
) -> PairResult:
    """Run `pairs` pairs of trials.

    Args:
        same_within: Half-width of the band around no change inside which the interval must lie for `same`.
        progress: Told (trials done, trials in all, variant now running).

    Raises:
        ValueError: fewer than two pairs, or a trial that served no request.
    """
    if pairs < 2:
        raise ValueError(f"{pairs} pairs give no interval, at least 2 are needed")
    order = random.Random(seed)
    costs: dict[str, list[float]] = {base: [], variant: []}
    for pair in range(pairs):
        names = [base, variant]
        order.shuffle(names)
        for position, name in enumerate(names):
            progress(2 * pair + position, 2 * pairs, name)
            cpu = trial(name).cpu
            if cpu is None:
                raise ValueError(f"a trial of {name} served no request")
            costs[name].append(cpu.value)
    change = relative_change(costs[variant], costs[base])
    return PairResult(
        base=base,
        variant=variant,
        base_cpu=tuple(costs[base]),
        variant_cpu=tuple(costs[variant]),
        change=change,
        verdict=judge(change, same=same_within),
    )
