"""Student t against SciPy, and the properties a distribution has to have."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from profiler.stats.student_t import cdf, mean_interval, quantile, survival

DEGREES = (0.5, 1, 1.5, 2, 3, 4, 5, 7, 11, 19, 29, 59, 79, 80, 81, 120, 1_000, 12_345.6, 1e6)
PROBABILITIES = (1e-12, 1e-6, 0.0005, 0.0079, 0.025, 0.05, 0.2, 0.4999, 0.5, 0.6, 0.95, 0.975, 0.995, 0.9999)


@pytest.mark.parametrize("degrees", DEGREES)
def test_quantile_agrees_with_scipy(degrees: float) -> None:
    for probability in PROBABILITIES:
        assert quantile(probability, degrees) == pytest.approx(
            scipy_stats.t.ppf(probability, degrees), rel=1e-9, abs=1e-9
        )


@pytest.mark.parametrize("degrees", DEGREES)
def test_both_tails_agree_with_scipy(degrees: float) -> None:
    for t in (-40.0, -3.2, -1.0, -1e-3, 0.0, 1e-9, 1e-3, 0.5, 1.96, 2.2, 8.0, 40.0, 1e3):
        assert cdf(t, degrees) == pytest.approx(scipy_stats.t.cdf(t, degrees), rel=1e-9, abs=1e-300)
        assert survival(t, degrees) == pytest.approx(scipy_stats.t.sf(t, degrees), rel=1e-9, abs=1e-300)


@given(st.floats(1e-9, 1 - 1e-9), st.floats(0.5, 1e6))
def test_quantile_inverts_the_distribution_function(probability: float, degrees: float) -> None:
    assert cdf(quantile(probability, degrees), degrees) == pytest.approx(probability, rel=1e-8, abs=1e-12)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0.5, 1e5))
def test_distribution_function_rises_and_stays_in_the_unit_interval(a: float, b: float, degrees: float) -> None:
    low, high = sorted((a, b))
    assert 0.0 <= cdf(low, degrees) <= cdf(high, degrees) + 1e-14 <= 1.0 + 1e-13


@given(st.floats(0, 1e6), st.floats(0.5, 1e5))
def test_symmetry(t: float, degrees: float) -> None:
    assert cdf(-t, degrees) == survival(t, degrees)


def test_ends() -> None:
    assert quantile(0.0, 5) == -math.inf
    assert quantile(1.0, 5) == math.inf
    assert cdf(math.inf, 5) == 1.0
    assert survival(math.inf, 5) == 0.0
    assert math.isnan(survival(math.nan, 5))


def test_infinitely_many_degrees_would_be_the_normal_distribution() -> None:
    assert quantile(0.975, 1e9) == pytest.approx(scipy_stats.norm.ppf(0.975), rel=1e-8)


@pytest.mark.parametrize("call", [lambda: quantile(1.1, 3), lambda: quantile(0.9, 0), lambda: cdf(1.0, -1)])
def test_nonsense_is_refused(call) -> None:
    with pytest.raises(ValueError, match=r"got"):
        call()


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_mean_interval_agrees_with_scipy(values: list[float]) -> None:
    mean, half = mean_interval(values)
    assert mean == pytest.approx(math.fsum(values) / len(values))
    error = scipy_stats.sem(values)
    expected = scipy_stats.t.ppf(0.975, len(values) - 1) * error
    assert half == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_one_value_has_no_interval() -> None:
    assert mean_interval([3.0]) == (3.0, math.inf)
    with pytest.raises(ValueError, match="no values"):
        mean_interval([])
