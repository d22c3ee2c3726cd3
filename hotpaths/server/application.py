"""One process: builds the views, opens the log, serves, and says what it counted."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import hotpaths_native

from hotpaths.access_logging import PythonAccessLog
from hotpaths.apps.users import reading
from hotpaths.server.contract_views import VIEWS
from hotpaths.server.counting import Counters
from hotpaths.server.options import KEPT, NO_LOG, STANDARD_ERROR, Options
from hotpaths.server.switches import Switches
from hotpaths.server.tasks import TaskRunner
from hotpaths.server.views import Builder


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What Rust is given; `Settings` in src/process.rs."""

    host: str
    port: int
    workers: int
    blocking_threads: int
    switches: Switches
    log_descriptor: int | None
    log_slow_ms: float
    drain_seconds: float
    keep_thread_state: bool


def _open_log(target: str, stack: ExitStack) -> TextIO | None:
    if target == NO_LOG:
        return None
    if target == STANDARD_ERROR:
        return sys.stderr
    return stack.enter_context(Path(target).open("a", encoding="utf-8", errors="backslashreplace"))


def serve(options: Options, port: int, ready: Callable[[int], None]) -> None:
    """Serves until a signal; `ready` is called with the port once every worker listens."""
    reading.configure()
    with ExitStack() as stack:
        stream = _open_log(options.access_log, stack)
        log = PythonAccessLog(stream, options.log_slow_ms) if stream else None
        counters = Counters() if options.count else None
        builder = Builder(options.switches, log, counters)
        runner = TaskRunner()
        stack.callback(runner.close)
        settings = Settings(
            host=options.host,
            port=port,
            workers=options.workers,
            blocking_threads=options.blocking_threads,
            switches=options.switches,
            log_descriptor=stream.fileno() if stream else None,
            log_slow_ms=options.log_slow_ms,
            drain_seconds=options.drain_seconds,
            keep_thread_state=options.thread_state == KEPT,
        )
        # Rust handles the signals; Python's own answer to SIGINT would come on top of that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        counted = hotpaths_native.serve(
            settings,
            [builder.view(pattern, view) for pattern, view in VIEWS],
            [
                builder.refusal(404, "Not Found"),
                builder.refusal(405, "Method Not Allowed", "not_allowed"),
                builder.refusal(413, "Content Too Large"),
            ],
            runner.start,
            ready,
        )
    if counters is not None:
        # One write, so that the lines of several processes stay apart.
        sys.stderr.write(json.dumps({"counters": {**counted, **counters.read()}}) + "\n")
        sys.stderr.flush()
