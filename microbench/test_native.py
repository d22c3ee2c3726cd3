"""What the Rust sides cost in Rust: timed by a loop there, so that the call from Python is not in the figure."""

from __future__ import annotations

from typing import Any

import pytest

from microbench.cases import NATIVE, native, values
from microbench.self_timed import SpentClock, calls_per_batch

ROUNDS = 1000
_CLOCK = SpentClock()


@pytest.mark.benchmark(timer=_CLOCK)
@pytest.mark.parametrize(("optimization", "case", "side"), NATIVE)
def test_native(benchmark: Any, optimization: str, case: str, side: str) -> None:
    """Gross; `extra_info` has the empty loop's cost, which is to be subtracted."""
    found, timers = native(optimization)
    value = values(optimization, case)[0]
    benchmark.group = f"{optimization} {case} in Rust"
    run = timers.timer(side, value)
    calls = calls_per_batch(run)
    benchmark.extra_info["calls_per_round"] = calls
    if timers.null:
        empty = timers.timer("null", value)
        benchmark.extra_info["null_ns"] = min(empty(calls) for _ in range(20)) / calls
    benchmark.pedantic(_CLOCK.spend, args=(run, calls), rounds=ROUNDS, warmup_rounds=5)
    assert found.slug == optimization
