"""Inside one fresh process: time every arm in short batches, in random order, and keep the medians.

A batch lasts about 0.1 ms, so that a preemption spoils one round and no more, and the reading of the clock is about
0.1 % of it (and cancels in the difference). Before and after run the same number of calls per batch, so that the
clock's resolution is the same share of both. With cold caches a batch is a single call after an 8 MiB copy.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import perf_counter, perf_counter_ns
from typing import Any

import msgspec

from microbench.paired.bodies import ARMS, Arms, Batch, Pair, compile_arms, copies_in_loop
from profiler.stats.paired import ProcessCost, Round, summarise_rounds

BATCH_NS = 100_000
COLD_COPY_BYTES = 8 * 1024 * 1024  # with the target this touches 16 MiB: more than any L2, and most of a guest's L3
LEAST_ROUNDS = 15  # of a body so slow that the time is up before; a median of fewer says little
WARM_UP_BATCHES, WARM_UP_CALLS = 5, 50  # CPython specialises a loop within tens of passes
MOST_CALLS = 1_000_000


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What one process is told to do."""

    seed: int
    """Of the order of the arms."""
    calls: int
    """Per batch; 0: find the number that makes a batch last about 0.1 ms."""
    seconds: float
    """Of measuring, per condition."""
    cold: bool
    collect_garbage: bool
    """Whether the cyclic collector runs, as it does in a server."""


class Garbage(msgspec.Struct, frozen=True, kw_only=True):
    """What the cyclic collector did during one arm's hot batches; rounds with a collection are not in the medians."""

    collections: int
    pause_ns_per_call: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one process sends back."""

    calls: int
    clock_step_ns: float
    """Smallest step between two readings of the clock."""
    hot: ProcessCost
    cold: ProcessCost | None
    garbage: dict[str, Garbage]
    """By arm, where there was any."""


def measure(pair: Pair, orders: Orders) -> Measured:
    """Time a pair in this process, with no tracer or profiler attached and the existing objects frozen."""
    loop = asyncio.new_event_loop() if pair.waits else None
    run = loop.run_until_complete if loop else asyncio.run
    order = random.Random(orders.seed)
    try:
        single = compile_arms(pair, order.sample(ARMS, len(ARMS)), run)
        with _undisturbed(collect_garbage=orders.collect_garbage):
            calls = orders.calls or calibrate(single)
            copies = copies_in_loop(pair, calls)
            calls -= calls % copies
            arms = compile_arms(pair, order.sample(ARMS, len(ARMS)), run, copies) if copies > 1 else single
            hot, garbage = _run(arms, calls, orders.seconds, order=order, mixed=len(pair.inputs), cool=None)
            cold: list[Round] = []
            if orders.cold:
                cold, _ = _run(single, 1, orders.seconds, order=order, mixed=len(pair.inputs), cool=_copier())
    finally:
        if loop:
            loop.close()
    return Measured(
        calls=calls,
        clock_step_ns=clock_step(),
        hot=summarise_rounds(hot),
        cold=summarise_rounds(cold) if cold else None,
        garbage=garbage,
    )


def calibrate(arms: Arms) -> int:
    """Calls that make a batch of the dearer arm last about 0.1 ms: 1 for a body slower than that."""
    calls = 1
    while calls < MOST_CALLS:
        dearer = max(_quickest(arms.before, calls), _quickest(arms.after, calls))
        if dearer >= BATCH_NS:
            break
        # Towards the aim in one step once a batch is long enough to predict from; never past it by much.
        growth = BATCH_NS / dearer if dearer > BATCH_NS / 20 else 8.0
        calls = max(calls + 1, int(calls * growth))
    return calls


def clock_step() -> float:
    """Smallest non-zero difference of two consecutive readings of the clock, in ns."""
    steps = (after - before for before, after in ((perf_counter_ns(), perf_counter_ns()) for _ in range(5000)))
    return float(min((step for step in steps if step > 0), default=1))


def _quickest(batch: Batch, calls: int) -> int:
    return max(1, min(batch(calls, 0) for _ in range(3)))


def _run(
    arms: Arms,
    calls: int,
    seconds: float,
    *,
    order: random.Random,
    mixed: int,
    cool: Callable[[], None] | None,
) -> tuple[list[Round], dict[str, Garbage]]:
    """Rounds until the time is up; those in which the collector ran are left out, unless it runs in most of them."""
    clean: list[Round] = []
    disturbed: list[Round] = []
    batches = {name: getattr(arms, name) for name in ARMS}
    for batch in batches.values():
        for _ in range(max(WARM_UP_BATCHES, WARM_UP_CALLS // calls)):
            batch(calls, 0)
    names = list(ARMS)
    with _counted_pauses() as pauses:
        end = perf_counter() + seconds
        while len(clean) + len(disturbed) < LEAST_ROUNDS or perf_counter() < end:
            order.shuffle(names)
            first, elapsed, seen = order.randrange(mixed), {}, pauses.count
            for pauses.arm in names:
                if cool:
                    cool()
                elapsed[pauses.arm] = batches[pauses.arm](calls, first) / calls
            (clean if pauses.count == seen else disturbed).append(Round(**elapsed))
    timed = calls * (len(clean) + len(disturbed))
    garbage = {
        arm: Garbage(collections=len(found), pause_ns_per_call=sum(found) / timed)
        for arm, found in pauses.found_ns.items()
    }
    return (clean if len(clean) >= LEAST_ROUNDS else clean + disturbed), garbage


def _copier() -> Callable[[], None]:
    """A copy of 8 MiB that leaves none of the pair's code and data in the caches near the core."""
    source, target = bytearray(COLD_COPY_BYTES), bytearray(COLD_COPY_BYTES)
    view = memoryview(target)
    flips = itertools.cycle((1, 2))

    def cool() -> None:
        source[0] = next(flips)
        view[:] = source

    return cool


class _Pauses:
    """Times the cyclic collector by the arm that set it off; costs nothing while it does not run."""

    def __init__(self) -> None:
        self.arm = ARMS[0]
        self.count = 0
        self.found_ns: dict[str, list[int]] = {}
        self._since = 0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._since = perf_counter_ns()
        else:
            self.count += 1
            self.found_ns.setdefault(self.arm, []).append(perf_counter_ns() - self._since)


@contextmanager
def _counted_pauses() -> Iterator[_Pauses]:
    pauses = _Pauses()
    gc.callbacks.append(pauses)
    try:
        yield pauses
    finally:
        gc.callbacks.remove(pauses)


@contextmanager
def _undisturbed(*, collect_garbage: bool) -> Iterator[None]:
    """No tracer, profiler or monitoring tool (coverage, debuggers); existing objects out of the collector's sight."""
    trace, profile = sys.gettrace(), sys.getprofile()
    sys.settrace(None)
    sys.setprofile(None)
    monitored = _stop_monitoring()
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    (gc.enable if collect_garbage else gc.disable)()
    try:
        yield
    finally:
        gc.unfreeze()
        (gc.enable if enabled else gc.disable)()
        _resume_monitoring(monitored)
        sys.setprofile(profile)
        sys.settrace(trace)


def _stop_monitoring() -> dict[int, int]:
    monitoring: Any = getattr(sys, "monitoring", None)  # from Python 3.12 on
    if monitoring is None:
        return {}
    events = {tool: monitoring.get_events(tool) for tool in range(6) if monitoring.get_tool(tool)}
    for tool in events:
        monitoring.set_events(tool, 0)
    return events


def _resume_monitoring(events: dict[int, int]) -> None:
    for tool, mask in events.items():
        with suppress(ValueError):
            sys.monitoring.set_events(tool, mask)  # type: ignore[attr-defined]
