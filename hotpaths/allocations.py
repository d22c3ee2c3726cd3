"""Allocations: a dict for everything a request might have, and a described head for every response.

Before: query, cookies, path parameters, headers and state become dicts for every request, empty or not; the head of
the response is described by a tuple that Rust takes apart and turns into a new map. After: what is not there is None,
headers are read only for a view that asks for them, and the usual heads are numbers for what both sides know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import hotpaths_native

from hotpaths.optimization import Calls, Input, Native, Optimization, Side

Description = tuple[str, str | None, list[tuple[str, str]], list[str]]
"""Kind, content type if it is not the kind's, headers, cookies."""
Metadata = int | Description
"""The head of a response, as a number or described."""
Describe = Callable[[str], Metadata]
"""Kind of response -> its head."""

JSON: Final = 0
BYTES: Final = 1
TEXT: Final = 2
NOT_ALLOWED: Final = 3
"""JSON, with the methods that are allowed."""
STATIC: Final[Mapping[str, int]] = {"json": JSON, "bytes": BYTES, "text": TEXT, "not_allowed": NOT_ALLOWED}
"""The number of each kind of response; must agree with `head_from_tag` in src/allocations.rs."""


def describe(kind: str) -> Description:
    """The head of a response of this kind, described anew."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    if kind == "not_allowed":
        kind = "json"
        headers["allow"] = "GET, HEAD"
    return (kind, None, list(headers.items()), cookies)


class Head(NamedTuple):
    """A request as it came in, and the kind of its response."""

    given: dict[str, Any]
    sample: hotpaths_native.RequestSample
    kind: str


def _head(headers: list[tuple[str, str]], *, query: str | None = None, params: list[tuple[str, str]]) -> Head:
    given = {"method": "GET", "path": "/json/1000", "query": query, "headers": headers, "params": params}
    return Head(given, hotpaths_native.RequestSample(given), "json")


_GENERATOR = [("host", "127.0.0.1:8000")]
_BROWSER = [
    ("host", "127.0.0.1:8000"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-language", "en-US,en;q=0.5"),
    ("cache-control", "no-cache"),
    ("connection", "keep-alive"),
    ("sec-fetch-mode", "navigate"),
]


def _before(head: Head) -> int:
    head.sample.with_maps()
    return hotpaths_native.head_from_tuple(describe(head.kind))


def _after(head: Head) -> int:
    head.sample.without_maps()
    return hotpaths_native.head_from_tag(STATIC[head.kind])


def _observe(side: Side, head: Head) -> dict[str, Any]:
    request = head.sample.with_maps() if side == "before" else head.sample.without_maps()
    metadata = describe(head.kind) if side == "before" else STATIC[head.kind]
    # A view sees the same parameters either way; headers are there for a view that declares that it reads them.
    return {
        "method": request.method,
        "path": request.path,
        "path_params": request.path_params or {},
        "query": request.query or {},
        "cookies": request.cookies or {},
        "state": request.state or {},
        "response": hotpaths_native.described_head(metadata),
    }


def _time(side: str, head: Head, iterations: int) -> int:
    return hotpaths_native.time_native("allocations", side, (head.given, describe(head.kind)), iterations)


def _input(name: str, make: Callable[[], Head]) -> Input:
    return Input(name=name, size_bytes=0, make=make)


OPTIMIZATION = Optimization(
    slug="allocations",
    switch="allocations",
    words=("maps", "none"),
    title="Allocations",
    claim="empty dicts, copies of all headers and a described head for each request; "
    "now None where there is nothing or nobody asks, and static heads",
    source="Django-Bolt 0.7.0, fewer allocations: None for empty maps, integers for the usual response metadata",
    before=_before,
    after=_after,
    inputs=(
        _input("generator", lambda: _head(_GENERATOR, params=[])),
        _input("parameter", lambda: _head(_GENERATOR, params=[("size", "1000")])),
        _input("browser", lambda: _head(_BROWSER, params=[])),
        _input("full", lambda: _head([*_BROWSER, ("cookie", "a=1; b=2")], query="x=1&y=2", params=[("size", "1000")])),
    ),
    equal=lambda before, after: bool(before == after),
    observe=_observe,
    frames={
        "before": (
            "hotpaths_native::allocations::request_with_maps",
            "hotpaths_native::allocations::head_from_tuple",
            "describe",
        ),
        "after": (
            "hotpaths_native::allocations::request_without_maps",
            "hotpaths_native::allocations::head_from_tag",
        ),
    },
    calls=Calls(
        per_request=lambda path: 1, counters={"before": "requests_with_maps", "after": "requests_without_maps"}
    ),
    native=Native(sides=("before", "after"), time=_time),
)
