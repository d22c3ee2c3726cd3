"""The two streams of every command: results on standard output, everything for the eye on standard error."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from rich.console import Console


def result_console() -> Console:
    """For what the user asked for: tables on standard output."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=False)


def status_console() -> Console:
    """For progress, notes and warnings: standard error."""
    return Console(file=sys.stderr, highlight=False)


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.buffer.flush()
