"""Access logging: per-request clock readings, formatting and a logging call in Python; or the same lines from Rust.

Before: the path of Django-Bolt 0.6.4, which read `time.time()` before and after each handler and went through
`logging` for the line, or for finding out that no line is wanted. After: the server takes the time and writes the line.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import hotpaths_native

from hotpaths.optimization import Calls, Input, Native, Optimization, Side

FORMAT = "%(asctime)s %(levelname)s %(message)s"
FIELDS = frozenset({"method", "path", "status_code", "duration"})
"""What a line consists of; configurable in Python, which is why it is asked for each line."""


class PythonAccessLog:
    """Lines by way of Python's logging."""

    def __init__(self, stream: TextIO, slow_ms: float) -> None:
        """Successes quicker than `slow_ms` milliseconds leave no line."""
        formatter = logging.Formatter(FORMAT)
        formatter.converter = time.gmtime
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter)
        # Not in the global registry: two servers in one process (a test) do not share handlers.
        self.logger = logging.Logger("hotpaths.access", logging.INFO)
        self.logger.addHandler(handler)
        self.slow_ms = slow_ms
        self.fields = FIELDS
        # Asked once, as the server that this follows does: a level is not changed while it serves.
        self._is_debugging = self.logger.isEnabledFor(logging.DEBUG)

    def begin(self, method: str, path: str) -> float:
        """The time a request came in, in seconds."""
        if self._is_debugging:
            self.logger.debug("%s %s", method, path)
        return time.time()

    def finish(self, method: str, path: str, status: int, began: float) -> None:
        """The line of an answered request, where one is wanted."""
        duration = time.time() - began
        if status >= 500:
            level = logging.ERROR
        elif status >= 400:
            level = logging.WARNING
        else:
            level = logging.INFO
            if not self.logger.isEnabledFor(level) or duration * 1000.0 < self.slow_ms:
                return
        data: dict[str, Any] = {}
        parts = []
        if "method" in self.fields:
            data["method"] = method
            parts.append(method)
        if "path" in self.fields:
            data["path"] = path
            parts.append(path)
        if "status_code" in self.fields:
            data["status_code"] = status
            parts.append(f"{status}")
        if "duration" in self.fields:
            data["duration_ms"] = duration * 1000.0
            parts.append(f"{data['duration_ms']:.2f}ms")
        self.logger.log(level, " ".join(parts), extra=data)


class Served(NamedTuple):
    """A request to be logged."""

    method: str
    path: str
    status: int
    slow_ms: float
    """Threshold below which a success leaves no line."""


@cache
def _logs(slow_ms: float) -> tuple[PythonAccessLog, hotpaths_native.AccessLog]:
    # One sink for all calls of a process, opened once and kept, as a server keeps its log.
    sink = Path(os.devnull).open("a", encoding="utf-8")  # noqa: SIM115 - never closed
    return PythonAccessLog(sink, slow_ms), hotpaths_native.AccessLog(sink.fileno(), slow_ms)


def _before(served: Served) -> None:
    log = _logs(served.slow_ms)[0]
    log.finish(served.method, served.path, served.status, log.begin(served.method, served.path))


def _after(served: Served) -> None:
    began = time.perf_counter_ns()
    _logs(served.slow_ms)[1].record(served.method, served.path, served.status, time.perf_counter_ns() - began)


def normalise(line: str) -> str:
    """A line without what differs from one request to the next: the time, and how long it took."""
    line = re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", "TIME ", line)
    return re.sub(r" \d+\.\d\dms$", " DURATION", line)


def _observe(side: Side, served: Served) -> list[str]:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as sink:
        if side == "before":
            log = PythonAccessLog(sink, served.slow_ms)
            log.finish(served.method, served.path, served.status, log.begin(served.method, served.path))
        else:
            native = hotpaths_native.AccessLog(sink.fileno(), served.slow_ms)
            native.record(served.method, served.path, served.status, 0)
            native.flush()
        sink.seek(0)
        return [normalise(line) for line in sink.read().splitlines()]


def _time(side: str, served: Served, iterations: int) -> int:
    value = (served.method, served.path, served.status, 0, served.slow_ms)
    return hotpaths_native.time_native("access_logging", side, value, iterations)


OPTIMIZATION = Optimization(
    slug="access_logging",
    switch="logging",
    words=("python", "rust"),
    title="Access logging",
    claim="two readings of time.time(), formatting and a logging call in Python for each request; "
    "now the server takes the time and writes the same line itself, many in one write",
    source="Django-Bolt 0.6.4, BoltAPI._dispatch and logging/middleware.py; gone from the Python path in 0.7.0",
    before=_before,
    after=_after,
    inputs=(
        Input(name="written", size_bytes=0, make=lambda: Served("GET", "/hello", 200, 0.0)),
        Input(name="unwanted", size_bytes=0, make=lambda: Served("GET", "/hello", 200, 250.0)),
        Input(name="error", size_bytes=0, make=lambda: Served("GET", "/nothing/here", 404, 250.0)),
    ),
    equal=lambda before, after: before is None and after is None,
    observe=_observe,
    frames={
        "before": ("PythonAccessLog.begin", "PythonAccessLog.finish", "Logger.log", "StreamHandler.emit"),
        "after": ("hotpaths_native::access_log::AccessLog::record_request",),
    },
    calls=Calls(per_request=lambda path: 1, counters={"before": "logged_by_python", "after": "logged_by_rust"}),
    native=Native(sides=("after",), time=_time),
)
