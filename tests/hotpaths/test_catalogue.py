"""Each optimization: both sides do the same, Rust times what it says it can, and the contract's documents are exact."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import AsyncIterator
from typing import Any

import hotpaths_native
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpaths import contract, response_handlers
from hotpaths.access_logging import Served
from hotpaths.allocations import STATIC, describe
from hotpaths.catalogue import OPTIMIZATIONS, find
from hotpaths.optimization import SIDES, Input, Optimization
from hotpaths.trivially_async import is_trivial, run_trivial

PAIRS = [(optimization, given) for optimization in OPTIMIZATIONS for given in optimization.inputs]


@pytest.mark.parametrize(("optimization", "given"), PAIRS, ids=lambda part: getattr(part, "slug", None) or part.name)
class TestPair:
    def test_sides_can_be_seen_to_do_the_same(self, optimization: Optimization, given: Input) -> None:
        assert optimization.agrees(given.make())

    def test_timed_calls_give_equal_results(self, optimization: Optimization, given: Input) -> None:
        results = []
        for side in (optimization.before, optimization.after):
            result = side(given.make())
            results.append(asyncio.run(result) if inspect.iscoroutine(result) else result)
        assert optimization.equal(*results)

    def test_rust_times_the_sides_it_names_and_no_other(self, optimization: Optimization, given: Input) -> None:
        if optimization.native is None:
            return
        value = given.make()
        for side in optimization.native.sides:
            assert optimization.native.timer(side, value)(10) > 0
        assert optimization.native.timer("null", value)(10) >= 0
        for side in (*(side for side in SIDES if side not in optimization.native.sides), "sideways"):
            with pytest.raises(LookupError, match=side):
                optimization.native.timer(side, value)(10)


def test_rust_times_calls_from_its_own_threads() -> None:
    calls: list[int] = []
    for side in SIDES:
        assert hotpaths_native.time_native("thread_states", side, lambda: calls.append(threading.get_ident()), 5) > 0
    assert len(calls) == 10
    assert threading.get_ident() not in calls
    assert hotpaths_native.time_native("thread_states", "null", len, 5) >= 0
    with pytest.raises(TypeError):
        hotpaths_native.time_native("thread_states", "before", len, 5)


def test_names_are_unique_and_found() -> None:
    slugs = [optimization.slug for optimization in OPTIMIZATIONS]
    assert len(set(slugs)) == len(slugs) == 5
    assert [find(slug) for slug in slugs] == list(OPTIMIZATIONS)
    with pytest.raises(KeyError):
        find("nothing")


def test_a_disagreement_is_seen() -> None:
    logging = find("access_logging")
    quiet, loud = Served("GET", "/hello", 200, 250.0), Served("GET", "/hello", 200, 0.0)
    assert logging.observe("before", quiet) == []
    assert logging.observe("after", loud) == ["TIME INFO GET /hello 200 DURATION"]


@given(
    method=st.sampled_from(["GET", "POST"]),
    path=st.text(st.characters(exclude_categories=["C", "Z"]), max_size=30).map(lambda text: f"/{text}"),
    status=st.integers(100, 599),
)
def test_lines_are_the_same_for_any_request(method: str, path: str, status: int) -> None:
    assert find("access_logging").agrees(Served(method, path, status, 0.0))


@given(st.binary(max_size=100_000))
def test_bodies_are_the_same_for_any_bytes(body: bytes) -> None:
    assert find("response_bodies").agrees(body)


@given(
    st.one_of(
        st.dictionaries(st.text(), st.one_of(st.integers(-(2**53), 2**53), st.text(), st.none(), st.booleans())),
        st.lists(st.text()),
        st.binary(),
        st.text(),
    )
)
def test_responses_are_the_same_for_any_result(result: Any) -> None:
    compiled = response_handlers.compile_handler(type(result), STATIC.__getitem__, constant_heads=True)
    assert compiled(result) == response_handlers.respond_by_type(result, STATIC.__getitem__)
    described = response_handlers.compile_handler(type(result), describe, constant_heads=False)
    assert described(result) == response_handlers.respond_by_type(result, describe)


def test_a_view_may_return_something_else_than_it_said() -> None:
    compiled = response_handlers.compile_handler(dict[str, Any], STATIC.__getitem__, constant_heads=True)
    assert compiled(b"bytes") == (200, STATIC["bytes"], b"bytes")
    with pytest.raises(TypeError, match="set"):
        compiled({1})


class _Once:
    """Suspends one time."""

    def __await__(self) -> Any:
        yield


async def _rows() -> AsyncIterator[int]:
    yield 1


async def _nothing() -> int:
    return 1


async def _waits() -> None:
    await _Once()


async def _loops() -> None:
    async for _ in _rows():
        pass


async def _comprehends() -> list[int]:
    return [row async for row in _rows()]


async def _enters() -> None:
    async with asyncio.Lock():
        pass


async def _nests() -> Any:
    async def inner() -> None:
        await _Once()

    return inner


@pytest.mark.parametrize("view", [_nothing, _nests])
def test_views_without_a_place_to_suspend_are_trivial(view: Any) -> None:
    assert is_trivial(view)


@pytest.mark.parametrize(
    "view", [_waits, _loops, _comprehends, _enters, _rows, functools.partial(_nothing), len, lambda: None, _Once()]
)
def test_others_are_not(view: Any) -> None:
    assert not is_trivial(view)


def test_a_trivial_view_gives_its_result_or_its_error() -> None:
    async def fails() -> None:
        raise ValueError("no")

    assert run_trivial(_nothing()) == 1
    with pytest.raises(ValueError, match="no"):
        run_trivial(fails())
    with pytest.raises(RuntimeError, match="suspended"):
        run_trivial(_waits())


@given(st.integers(contract.MINIMUM_JSON_SIZE, 5_000))
def test_documents_have_the_size_asked_for(size: int) -> None:
    assert len(contract.encode(contract.json_document(size))) == size


@pytest.mark.parametrize("size", [1, 255, 256, 257, contract.MAXIMUM_SIZE])
def test_bodies_have_the_size_asked_for(size: int) -> None:
    assert len(contract.binary_body(size)) == size


@pytest.mark.parametrize("path", ["/", "/json/20", "/json/x", "/bytes/0", f"/bytes/{contract.MAXIMUM_SIZE + 1}", "/no"])
def test_nothing_else_is_expected(path: str) -> None:
    with pytest.raises(KeyError):
        contract.expected(path)
