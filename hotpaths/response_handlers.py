"""Response handlers: an isinstance chain for every response, or a function chosen when the view is registered.

Before: what a view returned is compared with one type after another. After: the return annotation has said it, and a
function that expects that type is made once; a view that returns something else anyway still gets the chain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_origin, get_type_hints

import msgspec

from hotpaths import contract
from hotpaths.allocations import STATIC, Describe, Metadata
from hotpaths.optimization import Calls, Input, Optimization, Side

Wire = tuple[int, Metadata, bytes]
"""Status, head, body: what Rust is given."""
Handler = Callable[[Any], Wire]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Stream:
    """A body given in pieces."""

    pieces: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text with a status of its own."""

    text: str
    status: int = 200


@dataclass(frozen=True, slots=True)
class Redirect:
    """Another place to look."""

    location: str


@dataclass(frozen=True, slots=True)
class File:
    """A file's content."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Binary:
    """Bytes with a status of their own."""

    content: bytes
    status: int = 200


def respond_by_type(result: Any, describe: Describe) -> Wire:
    """The response for whatever a view returned, found by trying one type after another."""
    if result is None:
        return 204, describe("text"), b""
    if isinstance(result, Stream):
        return 200, describe("bytes"), b"".join(result.pieces)
    if isinstance(result, Text):
        return result.status, describe("text"), result.text.encode()
    if isinstance(result, (bytes, bytearray)):
        return 200, describe("bytes"), bytes(result)
    if isinstance(result, str):
        return 200, describe("text"), result.encode()
    if isinstance(result, Redirect):
        return 307, describe("text"), result.location.encode()
    if isinstance(result, File):
        return 200, describe("bytes"), result.content
    if isinstance(result, Binary):
        return result.status, describe("bytes"), result.content
    if isinstance(result, msgspec.Struct):
        return 200, describe("json"), _encode(result)
    if isinstance(result, (dict, list)):
        return 200, describe("json"), _encode(result)
    raise TypeError(f"a view returned {type(result).__name__}, which is no response")


def compile_handler(returns: Any, describe: Describe, *, constant_heads: bool) -> Handler:
    """A function for views that return this type.

    With `constant_heads` the head is asked for once, now; else it is described for each response, as it was before.
    """
    kind = get_origin(returns) or returns
    if kind in (dict, list) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return _json_handler(kind, describe, constant_heads)
    if kind is bytes:
        return _bytes_handler(describe, constant_heads)
    return lambda result: respond_by_type(result, describe)


def _json_handler(kind: type, describe: Describe, constant_heads: bool) -> Handler:
    if not constant_heads:

        def respond_json_described(result: Any) -> Wire:
            if result.__class__ is not kind:
                return respond_by_type(result, describe)
            return 200, describe("json"), _encode(result)

        return respond_json_described
    head = describe("json")

    def respond_json(result: Any) -> Wire:
        if result.__class__ is not kind:
            return respond_by_type(result, describe)
        return 200, head, _encode(result)

    return respond_json


def _bytes_handler(describe: Describe, constant_heads: bool) -> Handler:
    if not constant_heads:

        def respond_bytes_described(result: Any) -> Wire:
            if result.__class__ is not bytes:
                return respond_by_type(result, describe)
            return 200, describe("bytes"), result

        return respond_bytes_described
    head = describe("bytes")

    def respond_bytes(result: Any) -> Wire:
        if result.__class__ is not bytes:
            return respond_by_type(result, describe)
        return 200, head, result

    return respond_bytes


def return_type(view: Callable[..., Any]) -> Any:
    """What a view says it returns; None where it does not say."""
    return get_type_hints(view).get("return")


# What the pair is measured with: heads are numbers on both sides, so that only the choice of a handler differs.
_by_type: Handler = lambda result: respond_by_type(result, STATIC.__getitem__)  # noqa: E731 - one line, one purpose
_COMPILED: dict[type, Handler] = {
    kind: compile_handler(kind, STATIC.__getitem__, constant_heads=True) for kind in (dict, list, bytes, str)
}


@dataclass(frozen=True, slots=True)
class Returned:
    """What a view returned, and the function that was made for it when it was registered."""

    result: Any
    handler: Handler


def _returned(result: Any) -> Returned:
    return Returned(result, _COMPILED[type(result)])


def _before(returned: Returned) -> Wire:
    return respond_by_type(returned.result, STATIC.__getitem__)


def _after(returned: Returned) -> Wire:
    return returned.handler(returned.result)


def _observe(side: Side, returned: Returned) -> Wire:
    return _before(returned) if side == "before" else _after(returned)


OPTIMIZATION = Optimization(
    slug="response_handlers",
    switch="handlers",
    words=("chain", "compiled"),
    title="Response handlers",
    claim="what a view returned went through a chain of isinstance for each response; "
    "now its return annotation chooses the function when the view is registered",
    source="Django-Bolt 0.6.4, serialization.py; compiled per route from 0.7.0 on (compile_response_handlers)",
    before=_before,
    after=_after,
    inputs=(
        Input(name="dict", size_bytes=27, make=lambda: _returned(dict(contract.HELLO))),
        Input(name="document", size_bytes=1_000, make=lambda: _returned(dict(contract.json_document(1_000)))),
        Input(name="list", size_bytes=7, make=lambda: _returned([1, 2, 3])),
        Input(name="bytes", size_bytes=27, make=lambda: _returned(contract.binary_body(27))),
    ),
    equal=lambda before, after: bool(before == after),
    observe=_observe,
    frames={
        "before": ("respond_by_type",),
        "after": ("_json_handler.<locals>.respond_json",),
    },
    calls=Calls(per_request=lambda path: 1, counters={"before": "responses_by_type", "after": "responses_compiled"}),
    native=None,
)
