"""A target is ready when it answers as expected, over the same path that the load will take."""

from __future__ import annotations

import http.client
import select
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from profiler.errors import TargetError, UsageError
from profiler.model.load import Endpoint

PAUSE_S = 0.02
CHECK_S = 0.1
ATTEMPT_S = 10.0
# A wrong answer is final after this long: some servers answer 404 or 503 while they are still starting.
WRONG_ANSWER_S = 0.5
# Answers that must be equal before their length is expected of all, and how long asking for them may take.
PROBES = 8
PROBES_S = 2.0
_STARTING = (502, 503, 504)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    body: bytes


def ask(url: str, endpoint: Endpoint, timeout_s: float = ATTEMPT_S, check: Callable[[], None] = lambda: None) -> Answer:
    """One request on a connection of its own; `check` is called while the answer is waited for.

    OSError or HTTPException where no answer comes.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"not a URL of a server: {url}", hint="write it like http://127.0.0.1:8000")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout_s)
    deadline = time.monotonic() + timeout_s
    try:
        connection.request(endpoint.method, endpoint.path, endpoint.body or None, dict(endpoint.headers))
        while not select.select([connection.sock], [], [], CHECK_S)[0]:
            check()
            if time.monotonic() >= deadline:
                raise TimeoutError
        response = connection.getresponse()
        return Answer(status=response.status, body=response.read())
    finally:
        connection.close()


def objection(answer: Answer, endpoint: Endpoint) -> str | None:
    """None for the expected answer, else what came instead. Request headers are never part of it."""
    what = f"{endpoint.method} {endpoint.path}"
    if answer.status != endpoint.expect_status:
        return f"{what} answered {answer.status}, expected {endpoint.expect_status}{_excerpt(answer.body)}"
    if endpoint.expect_body is not None and endpoint.expect_body.encode() not in answer.body:
        return f"{what} answered without the expected {endpoint.expect_body!r}{_excerpt(answer.body)}"
    return None


def await_answer(url: str, endpoint: Endpoint | None, timeout_s: float, check: Callable[[], None]) -> int:
    """Ask until the expected answer comes; the length of its body. Without an endpoint any answer will do.

    `check` is called between attempts and raises where waiting is pointless. TargetError where the answer stays wrong
    or none comes in time.
    """
    deadline = time.monotonic() + timeout_s
    wrong_since: float | None = None
    reason = "nothing listens there"
    wanted = endpoint or Endpoint(path="/")
    while True:
        check()
        now = time.monotonic()
        try:
            answer = ask(url, wanted, max(0.1, min(ATTEMPT_S, deadline - now)), check)
        except (OSError, http.client.HTTPException) as error:
            reason = _reason(error)
        else:
            wrong = None if endpoint is None else objection(answer, endpoint)
            if wrong is None:
                return len(answer.body)
            reason, wrong_since = wrong, wrong_since or now
            if answer.status not in _STARTING and time.monotonic() - wrong_since >= WRONG_ANSWER_S:
                raise TargetError(wrong, hint=_hint(answer, wanted))
        if time.monotonic() >= deadline:
            raise TargetError(f"{url} gave no right answer within {timeout_s:g} s: {reason}")
        time.sleep(PAUSE_S)


def constant_length(url: str, endpoint: Endpoint) -> int | None:
    """Length of the body where several right answers in a row are the same to the byte, else None: bodies of one length
    by chance (a counter, a time) must not become an expectation that the load fails on later. None also where the
    answers take too long to ask for several."""
    if endpoint.method == "HEAD":
        return None
    deadline = time.monotonic() + PROBES_S
    first: bytes | None = None
    for _ in range(PROBES):
        try:
            answer = ask(url, endpoint, ATTEMPT_S)
        except (OSError, http.client.HTTPException):
            return None
        if objection(answer, endpoint) is not None or answer.body != (answer.body if first is None else first):
            return None
        first = answer.body
        if time.monotonic() > deadline:
            return None
    return len(first) if first is not None else None


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, TimeoutError):
        return "connected, and no answer came"
    return str(error) or type(error).__name__


def _hint(answer: Answer, endpoint: Endpoint) -> str:
    if answer.status == 404:
        return f"is {endpoint.path} a path of this application? choose another with --endpoint"
    if answer.status in (401, 403):
        return "send what the endpoint asks for with --header, or say what to expect with --expect"
    if answer.status != endpoint.expect_status:
        return "say which answer is right with --expect, or choose another --endpoint"
    return "correct --expect, or the application"


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:200].decode(errors="replace").split())
    return f"; the body begins {text[:80]!r}" if text else "; the body is empty"
