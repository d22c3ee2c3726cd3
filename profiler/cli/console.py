"""The two streams of every command: results on standard output, everything for the eye on standard error."""

from __future__ import annotations

import io
import sys
from typing import Any, NoReturn, TextIO

import msgspec
from rich.console import Console


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """The reader (head, less) has gone: `main` ends quietly, where rich would end with 1."""
        raise BrokenPipeError


def result_console() -> Console:
    """For what the user asked for: tables on standard output."""
    return _Console(file=_lenient(sys.stdout), highlight=False, soft_wrap=False)


def status_console() -> Console:
    """For progress, notes and warnings: standard error."""
    return _Console(file=_lenient(sys.stderr), highlight=False)


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.buffer.flush()


def _lenient(stream: TextIO) -> TextIO:
    """A stream that can't encode µ prints ? for it."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream
