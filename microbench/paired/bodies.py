"""Arms: the loops that are timed, generated around a statement, a function, or a timer written in native code.

The loop stands in a generated function, with the body in line, so that what is timed is the body and not a call of a
callable with `*args`; the same loop around nothing gives the null. Each arm gets its own code object, and with it its
own inline caches, also when it measures the same function as another arm.
"""

from __future__ import annotations

import asyncio
import enum
import inspect
import itertools
import textwrap
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from profiler.errors import UsageError

Batch = Callable[[int, int], int]
"""(calls, index of the first input) -> nanoseconds for all calls."""


class Null(enum.StrEnum):
    """What is subtracted from every arm."""

    LOOP = "loop"
    """An empty loop: a function's cost then contains its being called."""
    CALL = "call"
    """A loop that calls an empty Python function with the same arguments: what is left is the function's body."""
    NATIVE = "native"
    """An empty loop timed in native code, given with the pair."""
    NONE = "none"
    """Nothing: a native timer without a null of its own; costs are then gross."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """A body that times itself, for code whose call from Python would cost more than the code."""

    run: Callable[[int], int]
    """calls -> nanoseconds for all of them."""


COPIES = 16
LEAST_PASSES = 4  # of the loop in a batch; a body too slow for that has nothing to gain from copies
ARMS = ("null", "before", "twin", "after")
Body = str | Callable[..., Any] | Timed


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two bodies over the same inputs."""

    before: Body
    after: Body
    inputs: tuple[Mapping[str, Any], ...] = ({},)
    """Names and values; with several, the loop goes through them in turn (a mix of types, as a trace has it)."""
    positional: bool = True
    """Whether functions get the values by position (else by name)."""
    setup: str = ""
    """Statements before the loop, outside the timing, in every batch."""
    names: Mapping[str, Any] | None = None
    """What statements see as globals."""
    null: Null | Timed | None = None
    """None: CALL when both bodies are Python functions, LOOP otherwise, NONE for native timers."""

    def __post_init__(self) -> None:
        timed = [isinstance(body, Timed) for body in (self.before, self.after)]
        if any(timed) != all(timed):
            raise UsageError(
                "one side of the pair is timed in native code and the other in Python",
                hint="wrap both with paired.timed(...), or neither: their loops cost different amounts",
            )
        if not self.inputs or len({tuple(entry) for entry in self.inputs}) != 1:
            raise UsageError("every input needs the same names", hint="pass at least one, all with the same keys")
        waits = [inspect.iscoroutinefunction(body) for body in (self.before, self.after)]
        if any(waits) != all(waits):
            raise UsageError(
                "one side of the pair is a coroutine function and the other is not",
                hint="drive the coroutine inside the function, so that its driver is part of what is measured",
            )
        if (any(waits) or any(timed)) and self.setup:
            raise UsageError("`setup` belongs to statements and plain functions", hint="prepare in a fixture instead")

    @property
    def null_kind(self) -> Null:
        if isinstance(self.null, Timed):
            return Null.NATIVE
        if isinstance(self.before, Timed):
            return Null.NONE
        if self.null is not None:
            return self.null
        both_python = all(_python_function(body) is not None for body in (self.before, self.after))
        return Null.CALL if both_python else Null.LOOP

    @property
    def waits(self) -> bool:
        """Whether the bodies are coroutine functions, to be awaited inside one running loop."""
        return inspect.iscoroutinefunction(self.before)


@dataclass(frozen=True, kw_only=True, slots=True)
class Arms:
    """The four loops of a pair; `twin` is a second, separate copy of `before`."""

    null: Batch
    before: Batch
    twin: Batch
    after: Batch


def copies_in_loop(pair: Pair, calls: int) -> int:
    """How often the body stands in the loop, for batches of so many calls.

    The branch at the end of a pass is foreseen in a short empty loop and missed in others: some nanoseconds that are
    neither the body's nor the null's. With one to eight copies a doubled body of 7 ns read 1.9 to 2.8 times its cost,
    with sixteen 1.97 to 2.02 (CPython 3.13, x86-64).
    """
    repeatable = len(pair.inputs) == 1 and not isinstance(pair.before, Timed)
    return COPIES if repeatable and calls >= COPIES * LEAST_PASSES else 1


def compile_arms(
    pair: Pair, order: Sequence[str] = ARMS, run: Callable[[Any], int] = asyncio.run, copies: int = 1
) -> Arms:
    """Generate the loops, with `copies` of the body in each (batches are then of a multiple of it).

    `order` is the order in which they are laid out in memory. It has to be drawn anew in each process: an arm that is
    always built after another keeps a place of its own in the caches, which shows (most when they are cold). `run`
    drives a coroutine to its end (one running event loop for all batches).

    Raises:
        UsageError: a statement that is no Python.
    """
    kind = pair.null_kind
    null: Body = "pass"
    if isinstance(pair.null, Timed):
        null = pair.null
    elif kind is Null.NONE:
        null = Timed(run=lambda calls: 0)
    elif kind is Null.CALL:
        null = _empty_function(pair)
    bodies = {"null": null, "before": pair.before, "twin": pair.before, "after": pair.after}
    return Arms(**{name: _compile(name, bodies[name], pair, run, copies) for name in order})


def call_once(body: Body, pair: Pair, run: Callable[[Any], Any] = asyncio.run) -> list[Any] | None:
    """The results of a function for every input; None for a body that gives none (a statement, a native timer)."""
    if isinstance(body, str | Timed):
        return None
    results = []
    for entry in pair.inputs:
        result = body(*entry.values()) if pair.positional else body(**entry)
        results.append(run(result) if pair.waits else result)
    return results


def _compile(name: str, body: Body, pair: Pair, run: Callable[[Any], int], copies: int) -> Batch:
    if isinstance(body, Timed):
        return _native_batch(body)
    targets = tuple(pair.inputs[0])
    statement, callee = (body, None) if isinstance(body, str) else (_call(targets, pair), _fresh(body))
    source = _source(statement, targets, pair, copies)
    namespace: dict[str, Any] = dict(pair.names or {})
    try:
        exec(compile(source, f"<paired {name}>", "exec"), namespace)
    except SyntaxError as error:
        raise UsageError(
            f"the body `{statement}` is no Python: {error.msg}", hint=f"generated as:\n{source}"
        ) from error
    loop = namespace["batch"]
    values = [tuple(entry.values()) for entry in pair.inputs]

    def batch(calls: int, first: int) -> int:
        if len(values) == 1:
            elapsed = loop(itertools.repeat(None, calls // copies), perf_counter_ns, callee, *values[0])
        else:
            elapsed = loop(_mix(values, calls, first), perf_counter_ns, callee, *values[0])
        return run(elapsed) if pair.waits else int(elapsed)

    return batch


def _source(statement: str, targets: Sequence[str], pair: Pair, copies: int) -> str:
    target = "_" if len(pair.inputs) == 1 else ", ".join(targets)
    parameters = ", ".join(("_todo", "_clock", "_callee", *targets))
    lines = [
        f"{'async ' if pair.waits else ''}def batch({parameters}):",
        *_indented(pair.setup, 4),
        "    _start = _clock()",
        f"    for {target} in _todo:",
        *_indented(statement, 8) * copies,
        "    return _clock() - _start",
    ]
    return "\n".join(lines) + "\n"


def _indented(statements: str, columns: int) -> list[str]:
    text = textwrap.dedent(statements).strip("\n")
    return [" " * columns + line for line in text.splitlines()]


def _call(targets: Iterable[str], pair: Pair) -> str:
    arguments = ", ".join(target if pair.positional else f"{target}={target}" for target in targets)
    return f"{'await ' if pair.waits else ''}_callee({arguments})"


def _mix(values: Sequence[tuple[Any, ...]], calls: int, first: int) -> list[Any]:
    """`calls` inputs in turn, from the `first` on; bare values where there is but one name."""
    turn = itertools.islice(itertools.cycle(values), first % len(values), first % len(values) + calls)
    return [entry[0] for entry in turn] if len(values[0]) == 1 else list(turn)


def _native_batch(body: Timed) -> Batch:
    run = body.run
    return lambda calls, first: int(run(calls))


def _fresh(body: Callable[..., Any]) -> Callable[..., Any]:
    """The same function over a code object of its own, so that no other arm or caller specialises it."""
    if isinstance(body, types.MethodType) and isinstance(body.__func__, types.FunctionType):
        return types.MethodType(_fresh(body.__func__), body.__self__)
    if not isinstance(body, types.FunctionType):
        return body
    copy = types.FunctionType(
        body.__code__.replace(), body.__globals__, body.__name__, body.__defaults__, body.__closure__
    )
    copy.__kwdefaults__ = body.__kwdefaults__
    return copy


def _python_function(body: Body) -> types.FunctionType | None:
    function = body.__func__ if isinstance(body, types.MethodType) else body
    return function if isinstance(function, types.FunctionType) else None


def _empty_function(pair: Pair) -> Callable[..., Any]:
    """A function that takes the pair's arguments by their names and does nothing."""
    namespace: dict[str, Any] = {}
    exec(f"{'async ' if pair.waits else ''}def empty({', '.join(pair.inputs[0])}): pass", namespace)
    return namespace["empty"]  # type: ignore[no-any-return]
