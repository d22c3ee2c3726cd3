"""The result of one pair: what is shown, asserted on and stored."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from microbench.paired.bodies import Null
from microbench.paired.options import PairedOptions
from microbench.paired.rounds import Garbage, Measured
from profiler.model.verdict import Verdict
from profiler.stats.paired import PairedEstimate, Precision, estimate_pair, is_precise

SCHEMA = 1
COLD_SLACK = 5  # a single call between two readings of the clock is noisier: its precision target is so much wider


class Replicate(msgspec.Struct, frozen=True, kw_only=True):
    """One fresh process: what it was given and what it measured."""

    seed: int
    hash_seed: int
    measured: Measured


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One pair over all its processes."""

    schema: int = SCHEMA
    name: str
    hot: PairedEstimate
    cold: PairedEstimate | None
    null: Null
    calls: int
    """Per batch with hot caches; with cold ones it is 1."""
    seed: int
    garbage: dict[str, Garbage]
    """Collections of the cyclic collector by arm, over all processes."""
    stopped: str
    """Why no further process was started."""
    processes: tuple[Replicate, ...]

    @property
    def verdict(self) -> Verdict:
        return self.hot.verdict

    @property
    def is_slower(self) -> bool:
        """Whether after costs more than before, by the verdict."""
        return self.verdict is Verdict.DIFFERENT and self.hot.saved.value < 0


def compare_replicates(
    name: str, replicates: Sequence[Replicate], *, null: Null, options: PairedOptions, stopped: str
) -> Comparison:
    """Estimates over the processes measured so far."""
    measured = [replicate.measured for replicate in replicates]
    step, calls = max(entry.clock_step_ns for entry in measured), measured[0].calls
    cold = [entry.cold for entry in measured if entry.cold is not None]
    wanted = options.wanted
    return Comparison(
        name=name,
        hot=estimate_pair([entry.hot for entry in measured], floor=step / calls, precision=wanted),
        cold=estimate_pair(cold, floor=step, precision=_slack(options)) if cold else None,
        null=null,
        calls=calls,
        seed=options.seed,
        garbage=_total_garbage(measured),
        stopped=stopped,
        processes=tuple(replicates),
    )


def is_enough(replicates: Sequence[Replicate], options: PairedOptions) -> bool:
    """Whether both conditions are as precise as asked."""
    measured = [replicate.measured for replicate in replicates]
    step = max(entry.clock_step_ns for entry in measured)
    hot = is_precise([entry.hot for entry in measured], floor=step / measured[0].calls, precision=options.wanted)
    cold = [entry.cold for entry in measured if entry.cold is not None]
    return hot and (not cold or is_precise(cold, floor=step, precision=_slack(options)))


def _slack(options: PairedOptions) -> Precision:
    return Precision(target=options.precision * COLD_SLACK, same=options.same)


def _total_garbage(measured: Sequence[Measured]) -> dict[str, Garbage]:
    arms = sorted({arm for entry in measured for arm in entry.garbage})
    return {
        arm: Garbage(
            collections=sum(entry.garbage[arm].collections for entry in measured if arm in entry.garbage),
            pause_ns_per_call=sum(entry.garbage[arm].pause_ns_per_call for entry in measured if arm in entry.garbage)
            / len(measured),
        )
        for arm in arms
    }
