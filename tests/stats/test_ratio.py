"""Ratio estimates against closed forms and against the coverage they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from profiler.stats.ratio import ratio_estimate, relative_change

positive = st.floats(min_value=0.1, max_value=1e6)


@given(st.lists(st.tuples(positive, positive), min_size=2, max_size=20))
def test_value_is_the_ratio_of_totals_and_lies_in_its_interval(pairs: list[tuple[float, float]]) -> None:
    x, y = zip(*pairs, strict=True)
    estimate = ratio_estimate(x, y, "u")
    assert estimate.value == pytest.approx(sum(x) / sum(y))
    assert estimate.low is not None and estimate.high is not None
    assert estimate.low <= estimate.value <= estimate.high
    assert estimate.n == len(pairs)


def test_equal_denominators_give_students_interval_of_a_mean() -> None:
    x = [10.0, 12.0, 9.5, 11.0, 10.5]
    estimate = ratio_estimate(x, [1.0] * 5, "u")
    half = stats.t.ppf(0.975, 4) * np.std(x, ddof=1) / math.sqrt(5)
    assert estimate.high == pytest.approx(estimate.value + half, rel=1e-9)


def test_one_unit_has_no_interval_and_says_how_many_are_needed() -> None:
    estimate = ratio_estimate([3.0], [2.0], "u")
    assert (estimate.low, estimate.high) == (None, None)
    assert "at least 2" in estimate.warnings[0]


@pytest.mark.parametrize(("x", "y"), [([], []), ([1.0], [0.0]), ([1.0, 2.0], [1.0])])
def test_no_data_is_refused(x: list[float], y: list[float]) -> None:
    with pytest.raises(ValueError, match="numerators"):
        ratio_estimate(x, y, "u")


def test_relative_change_is_students_t_on_log_ratios() -> None:
    after, before = [11.0, 10.8, 11.5, 10.9], [10.0, 10.1, 10.3, 9.9]
    logs = np.log(np.array(after) / np.array(before))
    low, high = stats.t.interval(0.95, 3, loc=logs.mean(), scale=stats.sem(logs))
    change = relative_change(after, before)
    assert change.value == pytest.approx(math.expm1(logs.mean()))
    assert (change.low, change.high) == (pytest.approx(math.expm1(low)), pytest.approx(math.expm1(high)))


def test_a_drift_common_to_both_sides_cancels() -> None:
    drift = np.linspace(1, 3, 10)
    change = relative_change(list(1.02 * drift), list(drift))
    assert change.value == pytest.approx(0.02)
    assert change.half_width < 1e-9


def test_coverage_of_the_ratio_interval_is_what_it_says() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(600):
        requests = rng.poisson(20_000, 10).astype(float)
        cpu = requests * 8.0 * rng.lognormal(0, 0.03, 10)
        estimate = ratio_estimate(list(cpu), list(requests), "u")
        assert estimate.low is not None and estimate.high is not None
        hits += estimate.low <= 8.0 * math.exp(0.03**2 / 2) <= estimate.high
    # 95 % of 600 is 570; four binomial standard deviations are 21.
    assert 549 <= hits <= 591
