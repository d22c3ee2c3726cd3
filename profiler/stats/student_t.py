"""Student t: distribution function, quantile and the interval of a mean, in plain Python.

The distribution function is a regularised incomplete beta function, evaluated as a continued fraction on the side where
it converges quickly (Abramowitz & Stegun 26.5.8, 26.7.1). Degrees of freedom may be fractional (Welch). The tests hold
the figures to 1e-9 of SciPy's; the toolkit needs no SciPy to run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

_TINY = 1e-300
_LARGE_HALF_DEGREES = 40.0  # from here the four-term series below is exact to 1e-16, and lgamma begins to cancel


def cdf(t: float, degrees: float) -> float:
    """P(T <= t) with `degrees` degrees of freedom."""
    return 1.0 - survival(t, degrees) if t > 0 else survival(-t, degrees)


def survival(t: float, degrees: float) -> float:
    """P(T > t), accurate (relative) in the far tail too.

    Raises:
        ValueError: degrees of freedom that are not positive.
    """
    if not degrees > 0:
        raise ValueError(f"degrees of freedom must be positive, got {degrees}")
    if math.isnan(t):
        return math.nan
    if t < 0:
        return 1.0 - survival(-t, degrees)
    if math.isinf(t):
        return 0.0
    square = t * t
    if math.isinf(square):
        return 0.5 * _incomplete_beta(degrees / 2, 0.5, 0.0, 1.0)
    total = degrees + square
    return 0.5 * _incomplete_beta(degrees / 2, 0.5, degrees / total, square / total)


@lru_cache(maxsize=4096)
def quantile(probability: float, degrees: float) -> float:
    """The t with P(T <= t) = probability; ±inf at 1 and 0.

    Raises:
        ValueError: a probability outside [0, 1] or degrees of freedom that are not positive.
    """
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"a probability lies in [0, 1], got {probability}")
    if not degrees > 0:
        raise ValueError(f"degrees of freedom must be positive, got {degrees}")
    if probability in (0.0, 1.0):
        return math.copysign(math.inf, probability - 0.5)
    if probability < 0.5:
        return -_upper_quantile(probability, degrees)
    return _upper_quantile(1.0 - probability, degrees) if probability > 0.5 else 0.0


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """(mean, half-width) over independent values; the half-width is infinite for fewer than two of them.

    Raises:
        ValueError: no value at all.
    """
    n = len(values)
    if n == 0:
        raise ValueError("no values: a mean needs at least one")
    mean = math.fsum(values) / n
    if n == 1:
        return mean, math.inf
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    return mean, quantile(0.5 + level / 2, n - 1) * math.sqrt(variance / n)


def _upper_quantile(tail: float, degrees: float) -> float:
    """The t >= 0 with P(T > t) = tail (< 0.5): bracket by doubling, then Newton kept inside the bracket."""
    low, high = 0.0, 2.0
    while survival(high, degrees) > tail and high < 1e300:
        low, high = high, high * 2.0
    t = 0.5 * (low + high)
    for _ in range(200):
        excess = survival(t, degrees) - tail
        if excess > 0:
            low = t
        else:
            high = t
        density = _density(t, degrees)
        step = t + excess / density if density > 0 else math.nan
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - t) <= 1e-14 * following:
            return following
        t = following
    return t


def _density(t: float, degrees: float) -> float:
    tail_power = (degrees + 1) / 2 * math.log1p(t * t / degrees)
    return math.exp(_log_gamma_step(degrees / 2) - tail_power) / math.sqrt(degrees * math.pi)


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """Regularised I_x(a, b); `rest` is 1 - x, given apart because it is known without cancellation."""
    if x <= 0.0:
        return 0.0
    if rest <= 0.0:
        return 1.0
    # 1 / B(a, b) for one of the two being 1/2, the only case a t distribution needs: Γ(½) is √π.
    log_inverse_beta = _log_gamma_step(a if b == 0.5 else b) - 0.5 * math.log(math.pi)
    front = math.exp(log_inverse_beta + a * _log(x, rest) + b * _log(rest, x))
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / a
    return 1.0 - front * _beta_fraction(b, a, rest) / b


def _log(x: float, rest: float) -> float:
    return math.log(x) if x < 0.5 else math.log1p(-rest)


def _log_gamma_step(a: float) -> float:
    """log(Γ(a + ½) / Γ(a))."""
    if a < _LARGE_HALF_DEGREES:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    inverse = 1.0 / a
    square = inverse * inverse
    series = inverse * (-1 / 8 + square * (1 / 192 + square * (-1 / 640 + square * 17 / 14336)))
    return 0.5 * math.log(a) + series


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of I_x(a, b), by Lentz's method (front factor left out)."""
    numerator = 1.0
    denominator = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1))
    value = denominator
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            denominator = 1.0 / _away_from_zero(1.0 + term * denominator)
            numerator = _away_from_zero(1.0 + term / numerator)
            value *= numerator * denominator
        if abs(numerator * denominator - 1.0) < 1e-15:
            return value
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
