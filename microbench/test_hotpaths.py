"""What each side of each optimization costs when it is called from Python, by pytest-benchmark.

The figures are gross: pytest-benchmark's own call of the function is in them. `--paired` measures the pairs net of it.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from hotpaths.catalogue import find
from microbench.cases import COSTS, MIXES, values
from microbench.self_timed import SpentClock, awaited, calls_per_batch

ROUNDS = 1000
_WAITS = {slug for slug, _ in COSTS if inspect.iscoroutinefunction(find(slug).before)}
_CALLED = [case for case in (*COSTS, *MIXES) if case[0] not in _WAITS]
_AWAITED = [case for case in COSTS if case[0] in _WAITS]


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize(("optimization", "case"), _CALLED)
def test_called(benchmark: Any, optimization: str, case: str, side: str) -> None:
    """A plain function; for the mix, one call of it with each input."""
    benchmark.group = f"{optimization} {case}"
    function, inputs = getattr(find(optimization), side), values(optimization, case)
    if len(inputs) == 1:
        benchmark(function, inputs[0])
    else:
        benchmark(_each, function, inputs)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize(
    ("optimization", "case", "clock"),
    [pytest.param(*case, clock, id="-".join(case), marks=pytest.mark.benchmark(timer=clock))
     for case in _AWAITED for clock in [SpentClock()]],
)  # fmt: skip
def test_awaited(
    benchmark: Any, optimization: str, case: str, clock: SpentClock, side: str, loop: asyncio.AbstractEventLoop
) -> None:
    """A coroutine function, awaited inside one running loop; the driving of the loop is not in the figure."""
    benchmark.group = f"{optimization} {case}"
    run = awaited(getattr(find(optimization), side), values(optimization, case)[0], loop)
    calls = calls_per_batch(run)
    benchmark.extra_info["calls_per_round"] = calls
    benchmark.pedantic(clock.spend, args=(run, calls), rounds=ROUNDS, warmup_rounds=5)


def _each(function: Any, inputs: list[Any]) -> None:
    for value in inputs:
        function(value)
