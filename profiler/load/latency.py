"""Latency histograms as text: merging and percentiles, by the Rust core. Percentiles are never merged, only counts."""

from __future__ import annotations

from collections.abc import Iterable

from profiler import _native
from profiler.errors import UsageError
from profiler.model.load import Latency

_SHARES = [0.5, 0.9, 0.99, 0.999]


def merge(histograms: Iterable[str]) -> str:
    """One histogram of everything in all of them (from blocks, processes, machines); empty ones are passed over.

    UsageError where one is damaged. The empty string where there is none at all.
    """
    given = [histogram for histogram in histograms if histogram]
    if not given:
        return ""
    try:
        return str(_native.merge_latency(given))
    except ValueError as error:
        raise UsageError(f"a latency histogram is damaged: {error}") from None


def describe(histogram: str, *, corrected: bool) -> Latency | None:
    """Percentiles in milliseconds; None without a value."""
    if not histogram:
        return None
    count, mean, largest, values = _native.describe_latency(histogram, _SHARES)
    if not count:
        return None
    p50, p90, p99, p999 = (value / 1e6 for value in values)
    return Latency(
        p50=p50, p90=p90, p99=p99, p999=p999, max=largest / 1e6, mean=mean / 1e6,
        corrected=corrected,
    )  # fmt: skip
