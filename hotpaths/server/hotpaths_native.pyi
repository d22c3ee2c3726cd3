"""The Rust side of the hot paths. Built by `maturin develop --release` in this folder."""

from collections.abc import Callable, Sequence
from typing import Any

class AccessLog:
    """An access log on an open file descriptor, which stays the caller's. Lines wait until 4 KiB or `flush`."""

    def __new__(cls, descriptor: int, slow_ms: float) -> AccessLog: ...
    def record(self, method: str, path: str, status: int, took_ns: int) -> None: ...
    def flush(self) -> None: ...

class Request:
    """What a view may ask about its request. A map that was not made is None."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def path_params(self) -> dict[str, str] | None: ...
    @property
    def query(self) -> dict[str, str] | None: ...
    @property
    def headers(self) -> dict[str, str] | None: ...
    @property
    def cookies(self) -> dict[str, str] | None: ...
    @property
    def state(self) -> dict[str, Any] | None: ...

class RequestSample:
    """A request of a benchmark: a mapping with method, path, query, headers (pairs) and params (pairs), read once."""

    def __new__(cls, given: dict[str, Any]) -> RequestSample: ...
    def with_maps(self) -> Request: ...
    def without_maps(self) -> Request: ...

def copy_body(body: bytes) -> int:
    """Takes the body over by copying it; its length in bytes."""

def borrow_body(body: bytes) -> int:
    """Takes the body over by borrowing it; its length in bytes."""

def taken_body(side: str, body: bytes) -> bytes:
    """What a response would hold after `before` or `after`, read back: for checking, not for timing."""

def head_from_tuple(description: tuple[Any, ...]) -> int:
    """Builds a response's head from its description; the number of its headers."""

def head_from_tag(tag: int) -> int:
    """Builds a response's head from its number; the number of its headers. ValueError for an unknown number."""

def described_head(description: int | tuple[Any, ...]) -> list[tuple[str, str]]:
    """The head either description gives, as pairs: for checking, not for timing."""

def time_native(slug: str, side: str, value: Any, iterations: int) -> int:
    """Nanoseconds for `iterations` of one side (`before`, `after`, or `null`: the loop around nothing).

    LookupError where Rust has no such side. Besides the optimizations there is `thread_states`: calls of a function of
    no arguments from a thread of Rust's own. access_logging and thread_states let go of the interpreter meanwhile.
    """

def serve(
    settings: Any,
    views: Sequence[Any],
    refusals: Sequence[Any],
    runner: Callable[[Any, Callable[[Any], None]], None],
    ready: Callable[[int], None],
) -> dict[str, int]:
    """Serves until SIGTERM or SIGINT, without the interpreter's lock while nothing is called; what was counted.

    `settings`, `views` and `refusals` (not found, not allowed, too large) are read by attribute. `ready` is called with
    the port once every worker listens. To be called on the main thread. OSError where the port is taken.
    """
