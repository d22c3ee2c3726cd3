"""The fixture `paired`: one comparison per test."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from microbench.paired.bodies import Body, Null, Pair, Timed, call_once
from microbench.paired.comparison import Comparison
from microbench.paired.options import PairedOptions
from microbench.paired.processes import Errand, compare
from microbench.paired.rounds import measure
from profiler.errors import ProfilerError, UsageError

Arguments = Sequence[Any] | Mapping[str, Any]


class Paired:
    """What a test sees as `paired`."""

    def __init__(
        self,
        nodeid: str,
        *,
        measuring: Callable[[], tuple[Sequence[str], PairedOptions]] | None,
        errand: Errand | None,
        folder: Path,
        watch: Callable[[Comparison], None] = lambda comparison: None,
        keep: Callable[[Comparison], None] = lambda comparison: None,
    ) -> None:
        self._nodeid = nodeid
        self._measuring = measuring
        self._errand = errand
        self._folder = folder
        self._watch = watch
        self._keep = keep
        self._used = False

    def compare(
        self,
        before: Body,
        after: Body,
        args: Arguments = (),
        *,
        inputs: Sequence[Arguments] | None = None,
        setup: str = "",
        names: Mapping[str, Any] | None = None,
        null: Null | str | Timed | None = None,
        equal: Callable[[Any, Any], bool] | None = operator.eq,
    ) -> Comparison | None:
        """Check that both bodies give the same, and under `--paired` measure what each costs.

        Args:
            before, after: functions, coroutine functions, statements as text, or native timers (`paired.timed`).
            args: one set of arguments: a sequence for functions, names and values for functions or statements.
            inputs: several sets instead, gone through in turn inside the loop (a mix of types or sizes).
            setup: statements run before every batch, outside the timing; their names are local to the loop.
            names: what statements see as globals.
            null: what is subtracted: "loop", "call" or a native timer; by default "call" for two Python functions.
            equal: how results are compared; None leaves them unchecked.

        Returns:
            The comparison, or None when pytest runs without `--paired` (the pair is then only checked).

        Raises:
            UsageError: a second comparison in one test, or a pair that can't be measured.
        """
        if self._used:
            raise UsageError(
                f"{self._nodeid}: a test compares one pair", hint="parametrize the test, or write a second one"
            )
        self._used = True
        pair = _pair(before, after, [args] if inputs is None else inputs, setup=setup, names=names, null=null)
        if self._errand is not None:
            _answer(self._errand, pair)
        if equal is not None:
            check_equal(pair, equal)
        if self._measuring is None:
            return None
        command, options = self._measuring()
        try:
            comparison = compare(
                self._nodeid, command, null=pair.null_kind, options=options, folder=self._folder, watch=self._watch
            )
        except ProfilerError as error:
            pytest.fail(f"{error.message}\n{error.hint}", pytrace=False)
        self._keep(comparison)
        if options.fail_slower and comparison.is_slower:
            low, high = comparison.hot.saved.low, comparison.hot.saved.high
            pytest.fail(
                f"after is slower than before: saves {comparison.hot.saved.value:.4g} ns [{low:.4g}, {high:.4g}]"
            )
        return comparison

    @staticmethod
    def timed(run: Callable[[int], int]) -> Timed:
        """A native timer: called with a number of calls, it answers with the nanoseconds they took."""
        return Timed(run=run)


def check_equal(pair: Pair, equal: Callable[[Any, Any], bool]) -> None:
    """Fail the test when before and after do not give the same for some input."""
    befores, afters = call_once(pair.before, pair), call_once(pair.after, pair)
    if befores is None or afters is None:
        return
    for entry, before, after in zip(pair.inputs, befores, afters, strict=True):
        if not equal(before, after):
            pytest.fail(f"before and after differ for {_short(entry)}: {_short(before)} and {_short(after)}")


def _pair(
    before: Body,
    after: Body,
    inputs: Sequence[Arguments],
    *,
    setup: str,
    names: Mapping[str, Any] | None,
    null: Null | str | Timed | None,
) -> Pair:
    positional = not any(isinstance(entry, Mapping) for entry in inputs)
    named = tuple(
        dict(entry) if isinstance(entry, Mapping) else {f"arg{index}": value for index, value in enumerate(entry)}
        for entry in inputs
    )
    if isinstance(null, str):
        try:
            null = Null(null)
        except ValueError:
            raise UsageError(f"null is {null!r}", hint='say "loop", "call" or paired.timed(...)') from None
    return Pair(before=before, after=after, inputs=named, positional=positional, setup=setup, names=names, null=null)


def _answer(errand: Errand, pair: Pair) -> None:
    """In a fresh process: measure, write the answer, and end the test (its fixtures are torn down as ever)."""
    try:
        measured = measure(pair, errand.orders)
    except ProfilerError as error:
        pytest.fail(f"{error.message} ({error.hint})", pytrace=False)
    answer = Path(errand.answer)
    draft = answer.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(measured))
    draft.rename(answer)
    pytest.skip("measured")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
