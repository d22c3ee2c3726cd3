"""The order of windows: every condition once a round, random, reproducible."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from profiler.capture.schedule import BLOCK_S, MIN_ROUNDS, plan_windows

names = st.lists(st.sampled_from(["perf", "py-spy", "exact"]), unique=True)


@given(names, st.floats(0.25, 5), st.floats(0.1, 60), st.booleans(), st.integers())
def test_every_round_has_every_condition_once(
    samplers: list[str], window_s: float, duration_s: float, base: bool, seed: int
) -> None:
    windows = plan_windows(samplers, window_s, duration_s, base=base, seed=seed)
    conditions = sorted([*samplers, *([""] if base or not samplers else [])])
    rounds = {window.round for window in windows}
    assert len(rounds) >= MIN_ROUNDS
    for number in rounds:
        assert sorted(window.sampler for window in windows if window.round == number) == conditions
    assert [window.index for window in windows] == list(range(len(windows)))
    assert len({window.blocks for window in windows}) == 1


@given(st.floats(0.25, 3), st.floats(2, 30))
def test_each_condition_gets_the_time_it_was_promised(window_s: float, duration_s: float) -> None:
    windows = plan_windows(["perf"], window_s, duration_s, base=True, seed=1)
    time = sum(window.blocks * BLOCK_S for window in windows if window.sampler == "perf")
    assert duration_s - 1e-6 <= time <= duration_s + window_s + BLOCK_S


def test_the_order_is_random_and_comes_from_the_seed() -> None:
    def order(seed: int) -> list[str]:
        return [window.sampler for window in plan_windows(["perf"], 1, 20, base=True, seed=seed)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    firsts = {order(seed)[0] for seed in range(20)}
    assert firsts == {"", "perf"}
