"""What a target is. One file per kind; the ordered tuple is in the package's `__init__`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from profiler.model.load import Endpoint
from profiler.model.run import TargetInfo


class TargetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the user said about the target; everything else is detected."""

    folder: Path
    """Where to look for a project."""
    kind: str | None = None
    """django-bolt, uvicorn, gunicorn, robyn, granian, command, attach; None detects."""
    app: str | None = None
    """Import string, script or manage.py, as the kind wants it."""
    command: tuple[str, ...] = ()
    pid: int | None = None
    url: str | None = None
    python: str | None = None
    """Interpreter or virtual environment of the target."""
    processes: int = 1
    workers: int = 1
    cpus: tuple[int, ...] = ()
    port: int | None = None


class RunningTarget(Protocol):
    """A target that has been started (or attached to)."""

    url: str | None

    def wait_ready(self, endpoint: Endpoint | None, timeout_s: float) -> int:
        """Blocks until the endpoint answers with the expected status and body; the body's length in bytes.
        TargetError with the last log lines where it ends or never does."""

    def pids(self) -> tuple[int, ...]:
        """Every live process of the target, the first one first."""

    def info(self) -> TargetInfo:
        """The target as it really runs now."""

    def stop(self) -> None:
        """Gentle signal, then firm; returns when nothing is left. A target that was attached to is left alone."""
