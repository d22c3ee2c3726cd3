"""The generated loops: what stands in them, what is subtracted, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from microbench.paired.bodies import COPIES, Null, Pair, Timed, call_once, compile_arms, copies_in_loop
from profiler.errors import UsageError


def add(a: int, b: int) -> int:
    return a + b


def subtract(a: int, b: int) -> int:
    return a - b


async def waits(a: int) -> int:
    await asyncio.sleep(0)
    return a


@pytest.fixture
def run() -> Iterator[Callable[[Any], Any]]:
    loop = asyncio.new_event_loop()
    yield loop.run_until_complete
    loop.close()


def test_a_body_runs_as_often_as_asked() -> None:
    seen: list[int] = []
    pair = Pair(before="seen.append(x)", after="pass", inputs=({"x": 7},), names={"seen": seen})
    assert compile_arms(pair).before(5, 0) > 0
    assert seen == [7] * 5


def test_several_copies_stand_in_one_pass() -> None:
    seen: list[int] = []
    pair = Pair(before="seen.append(1)", after="pass", names={"seen": seen})
    compile_arms(pair, copies=COPIES).before(COPIES * 3, 0)
    assert len(seen) == COPIES * 3


def test_copies_are_for_quick_bodies_with_one_input() -> None:
    one, two = Pair(before="pass", after="pass"), Pair(before="x", after="x", inputs=({"x": 1}, {"x": 2}))
    assert copies_in_loop(one, 1000) == COPIES
    assert copies_in_loop(one, 10) == 1
    assert copies_in_loop(two, 1000) == 1
    assert copies_in_loop(Pair(before=Timed(run=int), after=Timed(run=int)), 1000) == 1


def test_a_mix_goes_through_the_inputs_in_turn() -> None:
    seen: list[Any] = []
    pair = Pair(before="seen.append(x)", after="pass", inputs=tuple({"x": x} for x in "abc"), names={"seen": seen})
    compile_arms(pair).before(5, 2)
    assert "".join(seen) == "cabca"


def test_a_mix_of_several_names_is_unpacked() -> None:
    seen: list[Any] = []

    def note(a: int, b: int) -> None:
        seen.append((a, b))

    pair = Pair(before=note, after=note, inputs=({"a": 1, "b": 2}, {"a": 3, "b": 4}))
    compile_arms(pair).after(3, 0)
    assert seen == [(1, 2), (3, 4), (1, 2)]


def test_setup_is_local_to_every_batch() -> None:
    seen: list[int] = []
    pair = Pair(before="box.append(1)", after="seen.append(len(box))", setup="box = [0]", names={"seen": seen})
    arms = compile_arms(pair)
    arms.before(3, 0)
    arms.after(1, 0)
    assert seen == [1]


def test_every_arm_has_a_code_object_of_its_own() -> None:
    codes = []

    def spy() -> None:
        import sys

        codes.append(sys._getframe().f_code)

    arms = compile_arms(Pair(before=spy, after=spy))
    for arm in (arms.before, arms.twin, arms.after):
        arm(1, 0)
    assert len({id(code) for code in codes}) == 3
    assert all(code is not spy.__code__ for code in codes)


def test_keywords_reach_a_function_by_name() -> None:
    seen = []
    pair = Pair(before=lambda *, b, a: seen.append((a, b)), after=len, inputs=({"a": 1, "b": 2},), positional=False)
    compile_arms(pair).before(1, 0)
    assert seen == [(1, 2)]


def test_defaults_and_closures_survive_the_copy() -> None:
    offset = 3

    def shifted(a: int, b: int = 4, *, c: int = 5) -> None:
        seen.append(a + b + c + offset)

    seen: list[int] = []
    compile_arms(Pair(before=shifted, after=shifted, inputs=({"a": 1},))).before(1, 0)
    assert seen == [13]


def test_methods_are_measured_bound() -> None:
    class Counter:
        def __init__(self) -> None:
            self.count = 0

        def step(self) -> None:
            self.count += 1

    counter = Counter()
    compile_arms(Pair(before=counter.step, after=counter.step)).twin(4, 0)
    assert counter.count == 4


def test_coroutine_functions_are_awaited_in_the_running_loop(run: Callable[[Any], Any]) -> None:
    pair = Pair(before=waits, after=waits, inputs=({"a": 1},))
    arms = compile_arms(pair, run=run)
    assert arms.before(3, 0) > arms.null(3, 0) > 0
    assert call_once(waits, pair, run) == [1]


@pytest.mark.parametrize(
    ("pair", "kind"),
    [
        (Pair(before=add, after=subtract, inputs=({"a": 1, "b": 2},)), Null.CALL),
        (Pair(before=add, after=max, inputs=({"a": 1, "b": 2},)), Null.LOOP),
        (Pair(before="pass", after="pass"), Null.LOOP),
        (Pair(before=add, after=subtract, inputs=({"a": 1, "b": 2},), null=Null.LOOP), Null.LOOP),
        (Pair(before=Timed(run=int), after=Timed(run=int)), Null.NONE),
        (Pair(before=Timed(run=int), after=Timed(run=int), null=Timed(run=int)), Null.NATIVE),
        (Pair(before=waits, after=waits, inputs=({"a": 1},)), Null.CALL),
    ],
)
def test_what_is_subtracted(pair: Pair, kind: Null) -> None:
    assert pair.null_kind is kind


def test_a_native_timer_reports_its_own_nanoseconds() -> None:
    pair = Pair(before=Timed(run=lambda calls: calls * 30), after=Timed(run=lambda calls: calls * 20))
    arms = compile_arms(pair)
    assert (arms.before(10, 0), arms.twin(10, 0), arms.after(10, 0), arms.null(10, 0)) == (300, 300, 200, 0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Pair(before=Timed(run=int), after=len), "native"),
        (lambda: Pair(before=waits, after=add, inputs=({"a": 1},)), "coroutine"),
        (lambda: Pair(before="x", after="x", inputs=()), "names"),
        (lambda: Pair(before="x", after="x", inputs=({"x": 1}, {"y": 1})), "names"),
        (lambda: Pair(before=waits, after=waits, inputs=({"a": 1},), setup="b = 1"), "setup"),
        (lambda: compile_arms(Pair(before="1 +", after="pass")), "no Python"),
    ],
)
def test_what_cannot_be_measured_is_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()
