"""Trivially-async views: `async def` without anything to wait for.

Before: every coroutine becomes a task of an event loop. After: at registration the view's code is looked at; one that
cannot suspend is run to its end by a single `send(None)`. Views that do wait still go to the loop.
"""

from __future__ import annotations

import asyncio
import dis
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from hotpaths import contract
from hotpaths.optimization import Calls, Input, Optimization, Side

View = Callable[..., Coroutine[Any, Any, Any]]

# SEND is how a coroutine hands control down (`await`, `async with`), GET_ANEXT how `async for` begins to.
_SUSPENDS = frozenset({"SEND", "GET_ANEXT"})


def is_trivial(view: Callable[..., Any]) -> bool:
    """Whether a view is a coroutine function whose code has no place where it could suspend.

    Only a plain function is trusted: a partial or an object with `__call__` may give any awaitable.
    """
    if not inspect.isfunction(view) or not inspect.iscoroutinefunction(view):
        return False
    # A wrapper marked as a coroutine function by `inspect.markcoroutinefunction` has no coroutine of its own.
    if not view.__code__.co_flags & inspect.CO_COROUTINE:
        return False
    return not any(instruction.opname in _SUSPENDS for instruction in dis.get_instructions(view.__code__))


def run_trivial(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that cannot suspend; what it raises is raised."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("a view that was taken for trivially async has suspended")


async def _hello() -> dict[str, Any]:
    return contract.HELLO


async def _document() -> dict[str, Any]:
    return contract.json_document(1_000)


async def _before(view: View) -> Any:
    return await asyncio.get_running_loop().create_task(view())


async def _after(view: View) -> Any:
    return run_trivial(view())


def _observe(side: Side, view: View) -> Any:
    return asyncio.run(_before(view) if side == "before" else _after(view))


OPTIMIZATION = Optimization(
    slug="trivially_async",
    switch="async",
    words=("task", "inline"),
    title="Trivially-async views",
    claim="every async view became a task of an event loop, on another thread than the request's; "
    "now a view without a place to suspend is run to its end by one send(None), where the request is",
    source="Django-Bolt 0.7.0, BoltAPI: views without GET_AWAITABLE in their bytecode are dispatched synchronously",
    before=_before,
    after=_after,
    inputs=(
        Input(name="hello", size_bytes=len(contract.encode(contract.HELLO)), make=lambda: _hello),
        Input(name="document", size_bytes=1_000, make=lambda: _document),
    ),
    equal=lambda before, after: before is after,
    observe=_observe,
    frames={
        "before": ("TaskRunner._start", "hotpaths_native::completion::Completion::deliver_answer"),
        "after": ("run_trivial",),
    },
    calls=Calls(
        # `/await` really waits and `/orm` is no coroutine: neither changes.
        per_request=lambda path: 0 if path in ("/await", "/orm") else 1,
        counters={"before": "trivial_views_as_tasks", "after": "trivial_views_inline"},
    ),
    native=None,
)
