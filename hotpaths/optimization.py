"""What an optimization is: a before/after pair that can be measured alone and switched in the reference server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Side = Literal["before", "after"]
SIDES: tuple[Side, Side] = ("before", "after")


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One thing both sides are called with."""

    name: str
    """Unique within its optimization; a test id."""
    size_bytes: int
    """Of the payload; 0 where size is no property of it."""
    make: Callable[[], Any]
    """The value, made anew: a body of a megabyte exists only while somebody measures it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """How often a request goes through one of the sides, and how that is counted rather than believed."""

    per_request: Callable[[str], int]
    """Path of an endpoint of the contract -> calls per request."""
    counters: dict[Side, str]
    """Name of each side's counter in what `python -m hotpaths.server --count` prints at its end, beside `requests`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Native:
    """The sides that Rust can time by itself."""

    sides: tuple[Side, ...]
    time: Callable[[str, Any, int], int]
    """(`before`, `after` or `null`, value of an input, iterations) -> nanoseconds for all of them."""
    null: bool = True
    """Whether `null`, the loop around nothing, can be timed too."""

    def timer(self, side: str, value: Any) -> Callable[[int], int]:
        """iterations -> nanoseconds, for one side and one input."""
        return lambda iterations: self.time(side, value, iterations)


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimization:
    """A pair, with what is claimed about it and how to check that."""

    slug: str
    """Name of its module, its page in docs/hotpaths and its row in a result."""
    switch: str
    """Name in `--set`; `on` is after, `off` is before."""
    words: tuple[str, str]
    """What the switch may also be set to: the word for off, the word for on."""
    title: str
    claim: str
    """What was slow and what replaced it."""
    source: str
    """Where this was changed in a published server."""
    before: Callable[[Any], Any]
    """Called with the value of an input. A coroutine function is to be awaited inside one running loop."""
    after: Callable[[Any], Any]
    """A coroutine function if and only if `before` is one."""
    inputs: tuple[Input, ...]
    equal: Callable[[Any, Any], bool]
    """Whether the results of both sides are equal; cheap, and of what the timed call returns."""
    observe: Callable[[Side, Any], Any]
    """Everything that a client or an operator can see of one side, for one value; not timed."""
    frames: dict[Side, tuple[str, ...]]
    """Functions that a profile of the server on `/hello` shows with this side and not with the other. Python's are
    qualified names, Rust's are paths, of which a profile may show just the last part."""
    calls: Calls
    native: Native | None

    def agrees(self, value: Any) -> bool:
        """Whether both sides can be seen to do the same."""
        return bool(self.observe("before", value) == self.observe("after", value))
