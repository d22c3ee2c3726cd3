"""Function names cut to a width, keeping what tells them apart: where they come from, and what they are called last."""

from __future__ import annotations

import re
from collections.abc import Iterator

_METHOD = re.compile(r"^<(?P<type>.+?)(?: as (?P<trait>.+))?>::(?P<method>[^>]+)$")


def shorten(name: str, width: int) -> str:
    """The name itself where it fits; else the longest of its shorter forms that does.

    >>> shorten("<actix_http::h1::Dispatcher as core::future::Future>::poll", 40)
    '<Dispatcher as Future>::poll'
    >>> shorten("actix_http::h1::dispatcher::Inner::poll_request", 38)
    'actix_http::…::Inner::poll_request'
    """
    form = name
    for form in _forms(name):
        if len(form) <= width:
            return form
    return f"{form.removeprefix('…::')[: max(width - 1, 1)]}…"


def _forms(name: str) -> Iterator[str]:
    """Longest first."""
    yield name
    match = _METHOD.match(name)
    if match is not None:
        if match["trait"]:
            yield f"<{match['type']} as {_last(match['trait'])}>::{match['method']}"
            yield f"<{_last(match['type'])} as {_last(match['trait'])}>::{match['method']}"
        yield f"{_last(match['type'])}::{match['method']}"
        yield f"{_last(match['type']).partition('<')[0]}::{match['method']}"
        return
    parts = _segments(name)
    for dropped in range(1, len(parts) - 1):
        yield "::".join((parts[0], "…", *parts[dropped + 1 :]))
    if len(parts) > 1:
        yield f"…::{parts[-1]}"


def _last(path: str) -> str:
    return _segments(path)[-1]


def _segments(path: str) -> list[str]:
    """Parts between `::` that stand outside every bracket; a closure says nothing without what it stands in."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(path):
        depth += (character in "<({[") - (character in ">)}]" and path[place - 1 : place] != "-")
        if depth == 0 and path.startswith("::", place) and not path.startswith("::{", place):
            parts.append(path[start:place])
            start = place + 2
    return [*parts, path[start:]]
