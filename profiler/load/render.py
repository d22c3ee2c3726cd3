"""Endpoints → the very bytes of their requests, rendered once before any is sent."""

from __future__ import annotations

import math
from urllib.parse import quote

from profiler.errors import UsageError
from profiler.model.load import Endpoint, LoadSpec

MOST_VARIANTS = 4096
_BODY_METHODS = ("POST", "PUT", "PATCH")


def render_requests(spec: LoadSpec, endpoint: Endpoint, host: str) -> list[bytes]:
    """Whole HTTP/1 messages, one for each combination of template values in turn; a single one without templates.

    Raises:
        UsageError: a header or the method can't be sent, or a placeholder has no values.
    """
    return [_message(spec, endpoint, host, values) for values in _combinations(endpoint)]


def _combinations(endpoint: Endpoint) -> list[dict[str, str]]:
    """What each placeholder stands for in the first request, in the second, …; lists of one length stay in step."""
    if not endpoint.values:
        return [{}]
    empty = [name for name, values in endpoint.values.items() if not values]
    if empty:
        raise UsageError(f"the template {{{empty[0]}}} has no values")
    count = min(MOST_VARIANTS, math.lcm(*(len(values) for values in endpoint.values.values())))
    return [{name: values[i % len(values)] for name, values in endpoint.values.items()} for i in range(count)]


def _message(spec: LoadSpec, endpoint: Endpoint, host: str, values: dict[str, str]) -> bytes:
    path, body = endpoint.path, endpoint.body
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
        body = body.replace(b"{%s}" % name.encode(), value.encode())
    # What may stand in a request target stays as it is, everything else is escaped.
    target = quote(path, safe="/?#[]@!$&'()*+,;=:%-._~{}|\"^`<>\\")
    lines = [f"{_token(endpoint.method, 'method')} {target} HTTP/{spec.http}"]
    given = {name.lower() for name, _ in endpoint.headers}
    if "host" not in given:
        lines.append(f"Host: {host}")
    if "connection" not in given:
        if not spec.keep_alive:
            lines.append("Connection: close")
        elif spec.http == "1.0":
            lines.append("Connection: keep-alive")
    for name, value in endpoint.headers:
        if any(character in value for character in "\r\n\0"):
            raise UsageError(f"the value of header {name} holds a line break")
        lines.append(f"{_token(name, 'header name')}: {value}")
    if (body or endpoint.method in _BODY_METHODS) and not given & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _token(text: str, what: str) -> str:
    if not text or not all(character.isalnum() or character in "!#$%&'*+-.^_`|~" for character in text):
        raise UsageError(f"{text!r} is not a {what}")
    return text
