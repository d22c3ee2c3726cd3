"""Flags and environment of the reference server."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from hotpaths.server import switches
from hotpaths.server.switches import Switches

SET_VARIABLE = "HOTPATHS_SET"
LOG_VARIABLE = "HOTPATHS_ACCESS_LOG"
SLOW_VARIABLE = "HOTPATHS_LOG_SLOW_MS"
STANDARD_ERROR = "-"
NO_LOG = "none"
KEPT, PER_REQUEST = "kept", "per-request"


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the server was asked for."""

    host: str
    port: int
    processes: int
    workers: int
    """Threads that serve, in each process, each with its own socket."""
    blocking_threads: int
    """Most threads for views that block, in each worker."""
    switches: Switches
    access_log: str
    """`-` for standard error, `none`, or a file that is appended to."""
    log_slow_ms: float
    """Milliseconds; quicker successes leave no line."""
    drain_seconds: float
    """How long requests under way may take to finish after a signal."""
    thread_state: str
    """`kept` or `per-request`: whether a serving thread keeps its Python state between requests."""
    count: bool
    """Whether to print at the end how often each side of each optimization ran."""


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _switches(text: str) -> Switches:
    try:
        return switches.parse(text, switches.parse(os.environ.get(SET_VARIABLE, "")))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _milliseconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1e9:
        raise ValueError
    return number


def parser() -> argparse.ArgumentParser:
    """All flags, with the environment's values as defaults."""
    names = "; ".join(f"{name}={off}|{on}" for name, (off, on) in switches.WORDS.items())
    found = argparse.ArgumentParser(prog="python -m hotpaths.server", description="The reference server.")
    found.add_argument("--host", default="127.0.0.1", help="IP address (default %(default)s)")
    found.add_argument("--port", type=int, default=8000, help="0 takes a free one (default %(default)s)")
    found.add_argument("--processes", type=_positive, default=1, help="default %(default)s")
    found.add_argument("--workers", type=_positive, default=1, help="serving threads in each (default %(default)s)")
    found.add_argument("--blocking-threads", type=_positive, default=8, help="for views that block, in each worker")
    found.add_argument(
        "--set",
        dest="switches",
        type=_switches,
        default="",
        metavar="SWITCH=off|on,...",
        help=f"all are on unless set; also {names}; all=off sets every one (environment: {SET_VARIABLE})",
    )
    found.add_argument(
        "--access-log",
        default=os.environ.get(LOG_VARIABLE, STANDARD_ERROR),
        metavar="-|none|FILE",
        help=f"standard error by default; with none, the switch logging does nothing (environment: {LOG_VARIABLE})",
    )
    found.add_argument(
        "--log-slow-ms",
        type=_milliseconds,
        default=os.environ.get(SLOW_VARIABLE, "0"),
        help=f"successes quicker than this leave no line (environment: {SLOW_VARIABLE})",
    )
    found.add_argument("--drain-seconds", type=_milliseconds, default=10.0, help="after a signal (default %(default)s)")
    found.add_argument(
        "--thread-state",
        choices=(KEPT, PER_REQUEST),
        default=KEPT,
        help="whether a serving thread keeps its Python state between requests (default %(default)s)",
    )
    found.add_argument("--count", action="store_true", help="print at the end how often each side of each switch ran")
    return found


def read(argv: list[str] | None = None) -> Options:
    """Options from the command line and the environment; exits with 2 and one line where they are wrong."""
    found = parser()
    given = found.parse_args(argv)
    if not 0 <= given.port <= 65535:
        found.error(f"--port {given.port} is no port")
    return Options(**vars(given))
