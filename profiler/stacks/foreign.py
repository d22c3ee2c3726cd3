"""What all files of other tools have in common: weights that somebody else wrote."""

from __future__ import annotations

from profiler.errors import UsageError

# A century in nanoseconds; sums of many such weights still fit.
MOST_NS = 100 * 365 * 86_400 * 10**9


def nanoseconds(weight: float, where: str) -> int:
    """A weight as whole nanoseconds.

    Raises:
        UsageError: it is negative, not finite, or longer than a century.
    """
    if not 0 <= weight <= MOST_NS:
        raise UsageError(f"{where} has a weight that can't be: {weight:g}")
    return round(weight)
