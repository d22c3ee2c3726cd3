"""Code that times itself, as a pytest-benchmark timer: Rust sides, and coroutines inside one running loop.

pytest-benchmark reads its timer before and after each call. Here the timer is a clock that stands still but for
`spend`, which moves it by what one call cost: from Python's side neither the call into Rust nor the driving of an event
loop is in the figure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Any

BATCH_NS = 100_000  # as in the paired mode: long against the clock, short against the scheduler
MOST_CALLS = 1_000_000


class SpentClock:
    """Seconds spent so far, as a timer."""

    __name__ = "SpentClock"

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    def spend(self, run: Callable[[int], int], calls: int) -> None:
        """Let `calls` run, and go on by the share of one of them."""
        self._now += run(calls) / calls * 1e-9


def calls_per_batch(run: Callable[[int], int]) -> int:
    """How many calls last about 0.1 ms, at least 1."""
    calls = 1
    while calls < MOST_CALLS and (spent := min(run(calls) for _ in range(3))) < BATCH_NS:
        calls = max(calls + 1, min(calls * 8, calls * BATCH_NS // max(spent, 1)))
    return calls


def awaited(
    function: Callable[[Any], Awaitable[Any]], value: Any, loop: asyncio.AbstractEventLoop
) -> Callable[[int], int]:
    """calls -> nanoseconds of awaiting `function(value)` so often inside the running `loop`."""

    async def batch(calls: int) -> int:
        start = perf_counter_ns()
        for _ in range(calls):
            await function(value)
        return perf_counter_ns() - start

    return lambda calls: loop.run_until_complete(batch(calls))
