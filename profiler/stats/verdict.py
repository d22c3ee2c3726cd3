"""From an estimated difference to one of three verdicts, and what a fourth attempt would need.

The order matters: *same* is asked first, so that a difference that is real but smaller than the user's band is not sold
as one; *different* second; all the rest is *not enough data*, which is never shown as the same.
"""

from __future__ import annotations

import math

from profiler.model.estimate import Estimate
from profiler.model.verdict import Verdict


def judge(difference: Estimate, *, same: float, least: float = 0.0) -> Verdict:
    """The verdict on a difference, all in its unit.

    Args:
        difference: the estimate with its 95 % interval.
        same: half-width of the band around 0 that counts as the same.
        least: what a difference has to exceed to be shown as one (the reach of an A/A twin, the step of a clock).
    """
    if difference.low is None or difference.high is None:
        return Verdict.NOT_ENOUGH_DATA
    if -same <= difference.low and difference.high <= same:
        return Verdict.SAME
    if (difference.low > 0 or difference.high < 0) and abs(difference.value) > least:
        return Verdict.DIFFERENT
    return Verdict.NOT_ENOUGH_DATA


def units_still_needed(difference: Estimate, target: float) -> int | None:
    """How many more units of replication bring the half-width down to `target`; None where there is no interval yet."""
    half = difference.half_width
    if not math.isfinite(half) or target <= 0:
        return None
    return max(0, math.ceil(difference.n * (half / target) ** 2) - difference.n)
