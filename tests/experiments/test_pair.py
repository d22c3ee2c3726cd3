"""Paired trials on a clock of their own: order, drift, verdicts."""

from __future__ import annotations

import random

import pytest

from profiler.experiments.pair import compare_pair
from profiler.model.estimate import Estimate
from profiler.model.run import RunMetadata, TargetInfo


class Machine:
    """Trials whose cost is known: a base cost per variant, a drift over time, and a little noise."""

    def __init__(self, costs: dict[str, float], drift: float, noise: float) -> None:
        self.costs, self.drift, self.noise = costs, drift, noise
        self.order: list[str] = []
        self._dice = random.Random(5)

    def __call__(self, name: str) -> RunMetadata:
        cost = self.costs[name] * (1 + self.drift * len(self.order)) * (1 + self._dice.gauss(0, self.noise))
        self.order.append(name)
        cpu = Estimate(value=cost, low=None, high=None, n=1, unit="µs per request")
        return RunMetadata(id="t", created="", target=TargetInfo(kind="command", name="t"), cpu=cpu)


def compare(machine: Machine, pairs: int = 10, same_within: float = 0.02) -> tuple[float, str]:
    result = compare_pair(
        machine, "wheel", "overlay", pairs=pairs, seed=3, same_within=same_within, progress=lambda *_: None
    )
    return result.change.value, result.verdict.value


def test_every_pair_has_both_and_the_order_varies() -> None:
    machine = Machine({"wheel": 1, "overlay": 1}, 0, 0.001)
    compare(machine, pairs=12)
    pairs = [tuple(machine.order[i : i + 2]) for i in range(0, 24, 2)]
    assert {frozenset(pair) for pair in pairs} == {frozenset(("wheel", "overlay"))}
    assert len(set(pairs)) == 2


@pytest.mark.parametrize(
    ("overlay", "noise", "verdict"), [(1.05, 0.002, "different"), (1.0, 0.002, "same"), (1.03, 0.2, "not enough data")]
)
def test_verdicts(overlay: float, noise: float, verdict: str) -> None:
    assert compare(Machine({"wheel": 10, "overlay": 10 * overlay}, 0.0, noise))[1] == verdict


def test_a_drift_of_the_machine_is_not_taken_for_a_difference() -> None:
    change, verdict = compare(Machine({"wheel": 10, "overlay": 10}, 0.02, 0.001), pairs=20)
    assert verdict != "different"
    assert abs(change) < 0.02


def test_one_pair_gives_no_interval_and_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        compare(Machine({"wheel": 1, "overlay": 1}, 0, 0), pairs=1)
