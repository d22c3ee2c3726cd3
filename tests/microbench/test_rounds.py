"""Measuring inside one process: real clocks, short times, and nothing left changed behind."""

from __future__ import annotations

import gc
import sys
import time

import pytest

from microbench.paired.bodies import Pair, Timed, compile_arms
from microbench.paired.rounds import BATCH_NS, LEAST_ROUNDS, MOST_CALLS, Orders, calibrate, clock_step, measure


def orders(**changes: object) -> Orders:
    said: dict[str, object] = {"seed": 1, "calls": 0, "seconds": 0.02, "cold": False, "collect_garbage": True}
    return Orders(**{**said, **changes})  # type: ignore[arg-type]


def spin(times: int) -> int:
    total = 0
    for value in range(times):
        total += value
    return total


def test_a_process_sends_medians_of_both_conditions() -> None:
    measured = measure(Pair(before=spin, after=spin, inputs=({"times": 50},)), orders(cold=True))
    assert measured.hot.before > 0
    assert measured.cold is not None
    assert measured.cold.rounds >= LEAST_ROUNDS
    assert measured.clock_step_ns > 0
    assert measured.calls > 1


def test_a_planted_double_is_read_as_two_within_one_process() -> None:
    def twice(times: int) -> None:
        spin(times)
        spin(times)

    def once(times: int) -> None:
        spin(times)

    pair = Pair(before=twice, after=once, inputs=({"times": 200},))
    hot = measure(pair, orders(seconds=0.2)).hot
    assert hot.before / hot.after == pytest.approx(2.0, abs=0.2)


def test_a_slow_body_is_measured_for_the_least_number_of_rounds() -> None:
    slow = Timed(run=lambda calls: calls * 10**9)
    measured = measure(Pair(before=slow, after=slow), orders())
    assert measured.calls == 1
    assert measured.hot.rounds >= LEAST_ROUNDS
    assert measured.hot.before == 1e9


@pytest.mark.parametrize(("ns_per_call", "calls"), [(50.0, 2000), (1000.0, 100), (1e6, 1), (0.0, MOST_CALLS)])
def test_batches_are_about_a_tenth_of_a_millisecond(ns_per_call: float, calls: int) -> None:
    timer = Timed(run=lambda count: int(count * ns_per_call))
    found = calibrate(compile_arms(Pair(before=timer, after=timer)))
    assert found == pytest.approx(calls, rel=0.1) or found >= calls
    assert found * ns_per_call < 2 * max(BATCH_NS, ns_per_call)


def test_the_dearer_side_decides_the_length_of_a_batch() -> None:
    cheap, dear = Timed(run=lambda calls: calls * 10), Timed(run=lambda calls: calls * 1000)
    assert calibrate(compile_arms(Pair(before=cheap, after=dear))) == calibrate(
        compile_arms(Pair(before=dear, after=cheap))
    )


def test_the_same_seed_gives_the_same_order() -> None:
    def recorded(seed: int) -> list[str]:
        seen: list[str] = []

        def timer(name: str) -> Timed:
            def run(calls: int) -> int:
                seen.append(name)
                return calls * 1000

            return Timed(run=run)

        pair = Pair(before=timer("before"), after=timer("after"), null=timer("null"))
        measure(pair, orders(seed=seed, calls=100, seconds=1e-9))
        return seen

    assert recorded(5) == recorded(5)
    assert recorded(5) != recorded(6)


CYCLES = "box = [[] for _ in range(50)]; kept.append(box); box.append(box); kept.clear()"


def test_the_collector_is_counted_by_arm() -> None:
    pair = Pair(before=CYCLES, after="pass", names={"kept": []})
    measured = measure(pair, orders(seconds=0.2))
    assert measured.garbage["before"].collections > 0
    assert measured.garbage["before"].pause_ns_per_call > 0


def test_the_collector_can_be_left_out() -> None:
    pair = Pair(before=CYCLES, after="pass", names={"kept": []})
    assert measure(pair, orders(collect_garbage=False)).garbage == {}


def test_everything_is_as_it_was_afterwards() -> None:
    def tracer(*_: object) -> None:
        return None

    before = (gc.isenabled(), gc.get_freeze_count(), list(gc.callbacks))
    old = sys.gettrace()
    sys.settrace(tracer)
    try:
        traced: list[object] = []
        pair = Pair(before="traced.append(sys.gettrace())", after="pass", names={"traced": traced, "sys": sys})
        measure(pair, orders(seconds=0.001, calls=1))
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(old)
    assert set(traced) == {None}
    assert (gc.isenabled(), gc.get_freeze_count(), list(gc.callbacks)) == before


def test_monitoring_tools_are_paused() -> None:
    if sys.version_info < (3, 12):
        assert not hasattr(sys, "monitoring")
        return
    events: list[object] = []
    monitoring = sys.monitoring
    monitoring.use_tool_id(3, "test")
    try:
        monitoring.register_callback(3, monitoring.events.PY_START, lambda *found: events.append(found))
        monitoring.set_events(3, monitoring.events.PY_START)
        pair = Pair(before=spin, after=spin, inputs=({"times": 1},))
        measure(pair, orders(seconds=0.001, calls=1))
        during = [found for found in events if "spin" in str(found)]
        assert not during
        assert monitoring.get_events(3) == monitoring.events.PY_START
    finally:
        monitoring.set_events(3, 0)
        monitoring.free_tool_id(3)


def test_the_clock_has_a_step() -> None:
    assert 0 < clock_step() < 1e6
    assert time.get_clock_info("perf_counter").monotonic
