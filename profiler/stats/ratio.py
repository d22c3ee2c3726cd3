"""Ratios of totals over blocks or windows, with honest intervals.

Method: the ratio estimator Σx / Σy with a delete-one jackknife for its standard error and a Student t quantile with
n - 1 degrees of freedom (Efron 1982; Cochran, Sampling Techniques, ch. 6). The normal quantile would be too narrow for
the ten or so windows of a run. Relative changes are compared on the log scale, round by round, so that drift slower
than a round cancels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from profiler.model.estimate import Estimate
from profiler.stats.student_t import quantile

CONFIDENCE = 0.95


def ratio_estimate(
    numerators: Sequence[float], denominators: Sequence[float], unit: str, warnings: tuple[str, ...] = ()
) -> Estimate:
    """Σ numerators / Σ denominators over units of equal standing (windows, blocks).

    Raises:
        ValueError: lengths differ, nothing is given, or the denominators add to 0.
    """
    total_x, total_y = math.fsum(numerators), math.fsum(denominators)
    n = len(numerators)
    if n != len(denominators) or total_y == 0:
        raise ValueError(f"{n} numerators, {len(denominators)} denominators adding to {total_y}")
    value = total_x / total_y
    left = [(total_x - x) / (total_y - y) for x, y in zip(numerators, denominators, strict=True) if total_y - y > 0]
    if n < 2 or len(left) < n:
        return Estimate(value=value, low=None, high=None, n=n, unit=unit, warnings=(*warnings, _too_few(n)))
    centre = math.fsum(left) / n
    error = math.sqrt((n - 1) / n * math.fsum((part - centre) ** 2 for part in left))
    half = _t(n) * error
    return Estimate(value=value, low=value - half, high=value + half, n=n, unit=unit, warnings=warnings)


def relative_change(treated: Sequence[float], base: Sequence[float]) -> Estimate:
    """exp(mean of log(treated / base)) - 1 over pairs measured side by side; unit `relative` (0.01 is 1 %).

    Raises:
        ValueError: lengths differ, no pair, or a value that is not positive.
    """
    if len(treated) != len(base) or not treated or min(*treated, *base) <= 0:
        raise ValueError(f"relative change needs pairs of positive values, got {treated!r} and {base!r}")
    logs = [math.log(after / before) for after, before in zip(treated, base, strict=True)]
    n = len(logs)
    mean = math.fsum(logs) / n
    if n < 2:
        return Estimate(value=math.expm1(mean), low=None, high=None, n=n, unit="relative", warnings=(_too_few(n),))
    sd = math.sqrt(math.fsum((entry - mean) ** 2 for entry in logs) / (n - 1))
    half = _t(n) * sd / math.sqrt(n)
    return Estimate(
        value=math.expm1(mean), low=math.expm1(mean - half), high=math.expm1(mean + half), n=n, unit="relative"
    )


def _t(n: int) -> float:
    return quantile(0.5 + CONFIDENCE / 2, n - 1)


def _too_few(n: int) -> str:
    return f"no interval: {n} unit{'s' if n != 1 else ''} measured, at least 2 are needed"
