"""Was the generator the limit? From its own CPU, its lag, the depth in flight and Little's law. Pure.

The thresholds are the places where a generator begins to change what it measures: a thread that is busy most of
the time queues its own work, and a delay of its own that is a tenth of what it measures is part of the figure.
"""

from __future__ import annotations

import msgspec

from profiler.model.load import Headroom, LoadResult

GENERATOR_BOUND = "generator-bound"
SERVER_BOUND = "server-bound"
RATE_HELD = "rate-held"
UNSURE = "unsure"

BUSY_LIMIT = 0.85
BUSY_DOUBT = 0.70
STARVED_LIMIT = 0.25
LAG_FLOOR_MS = 1.0
LAG_SHARE = 0.10
RATE_RATIO = 0.99
LITTLE_TOLERANCE = 0.03
SERVER_BUSY = 0.90
SERVER_IDLE = 0.70


def judge(headroom: Headroom, *, rate: float | None, p99_ms: float | None) -> tuple[str, tuple[str, ...]]:
    """(verdict, the figures behind it).

    Args:
        headroom: Of the generator, over the measured windows.
        rate: Offered rate, None for a closed loop.
        p99_ms: 99th percentile of the latency, corrected where there is a schedule.
    """
    against = _against_generator(headroom, rate=rate, p99_ms=p99_ms)
    if against:
        return GENERATOR_BOUND, against
    facts = [f"generator busy {headroom.busy:.0%}, waiting for a CPU {headroom.starved:.0%}"]
    if headroom.server_busy is not None:
        facts.append(f"server busy {headroom.server_busy:.0%} of its CPUs")
    if headroom.little is not None and abs(headroom.little - 1) > LITTLE_TOLERANCE:
        return UNSURE, (
            *facts,
            f"rate × mean latency is {headroom.little:.2f} of the depth in flight: some time is not accounted for",
        )
    if rate is not None and headroom.rate_ratio is not None and headroom.rate_ratio >= RATE_RATIO:
        return RATE_HELD, (*facts, f"{headroom.rate_ratio:.1%} of the offered rate was answered")
    if headroom.busy + headroom.starved > BUSY_DOUBT:
        return UNSURE, (*facts, f"the generator's headroom is below {1 - BUSY_DOUBT:.0%}")
    if headroom.server_busy is not None and headroom.server_busy < SERVER_IDLE:
        return UNSURE, (
            *facts,
            "neither side is busy: something else (a lock, a database, a pool, one thread of many) may be the limit",
        )
    return SERVER_BOUND, (*facts, f"{headroom.depth:.1f} requests were waiting for the server on average")


def judge_with_server(result: LoadResult, server_busy: float) -> LoadResult:
    """The result with its verdict given anew, now that the server's share of its CPUs (0 to 1) is known."""
    if result.headroom is None:
        return result
    headroom = msgspec.structs.replace(result.headroom, server_busy=server_busy)
    p99_ms = result.latency_ms.p99 if result.latency_ms is not None else None
    verdict, reasons = judge(headroom, rate=result.offered_rps, p99_ms=p99_ms)
    return msgspec.structs.replace(result, headroom=headroom, verdict=verdict, reasons=reasons)


def _against_generator(headroom: Headroom, *, rate: float | None, p99_ms: float | None) -> tuple[str, ...]:
    """Every sign that the generator was the limit."""
    signs = []
    server_full = headroom.server_busy is not None and headroom.server_busy >= SERVER_BUSY
    if headroom.busy > BUSY_LIMIT and not (server_full and rate is None and headroom.busy < 0.95):
        signs.append(f"the generator was busy {headroom.busy:.0%} of the time (limit {BUSY_LIMIT:.0%})")
    # With a schedule, the lag tells whether waiting for a CPU mattered.
    # Without one, a server that is full all the same was not kept waiting by it.
    if rate is None and not server_full and headroom.starved > STARVED_LIMIT:
        signs.append(f"the generator waited for a CPU {headroom.starved:.0%} of the time (limit {STARVED_LIMIT:.0%})")
    if rate is not None and headroom.lag_p99_ms is not None:
        limit = max(LAG_FLOOR_MS, LAG_SHARE * (p99_ms or 0.0))
        if headroom.lag_p99_ms > limit:
            signs.append(f"it ran {headroom.lag_p99_ms:.2f} ms behind its schedule at p99 (limit {limit:.2f} ms)")
    return tuple(signs)
