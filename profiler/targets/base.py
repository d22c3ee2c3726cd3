"""What a target is. One file per kind; the ordered tuple is in the package's `__init__`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from profiler.model.load import Endpoint
from profiler.model.run import TargetInfo
from profiler.targets.cpu_group import CpuGroup


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
    settings: str | None = None
    """Switches of the reference server: `logging=off,bodies=copy`."""
    processes: int = 1
    workers: int = 1
    cpus: tuple[int, ...] = ()
    port: int | None = None


class App(msgspec.Struct, frozen=True, kw_only=True):
    """An application a kind can serve, found by reading files, never by importing them."""

    reference: str
    """Import string `package.module:attribute`, or the path of a script or of manage.py."""
    folder: Path
    """Working folder of the server."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a kind wants an application to be served."""

    argv: tuple[str, ...]
    """Without the interpreter, where `module` is set."""
    env: dict[str, str] = {}
    """Additions to the environment."""
    module: str = ""
    """What the interpreter must be able to import; empty for a command, which needs no interpreter."""
    listeners: int = 0
    """How many processes will listen on the port; 0 where that is not known."""
    worker_threads: str = ""
    """How the names of the threads that are workers begin, where they can be told; `spec.workers` in each process."""
    hides_access_log: bool = False
    """True where requests may be logged without a line turning up anywhere."""
    grace_s: float = 5.0
    """How long the server may take to end after the gentle signal."""
    notes: tuple[str, ...] = ()


class TargetKind(Protocol):
    """A way to serve an application."""

    name: str
    opt_in: bool
    """True where it is detected only in a project whose own files name it."""

    def find(self, folder: Path) -> App | None:
        """The application in this folder, or None where there is nothing for this kind."""

    def resolve(self, reference: str, folder: Path) -> App:
        """The application the user named with `--app`; UsageError where there is none."""

    def plan(self, spec: TargetSpec, app: App, port: int) -> Plan:
        """How to serve it on 127.0.0.1:port."""


class RunningTarget(Protocol):
    """A target that has been started (or attached to)."""

    url: str | None

    def wait_ready(self, endpoint: Endpoint | None, timeout_s: float) -> int:
        """Blocks until the endpoint answers with the expected status and body; the body's length in bytes.
        TargetError with the last log lines where it ends or never does."""

    def pids(self) -> tuple[int, ...]:
        """Every live process of the target, the first one first."""

    def ended(self) -> str | None:
        """None while the target's first process lives, else how it ended."""

    def cpu_group(self) -> CpuGroup | None:
        """The control group that counts its CPU time; None where there is none."""

    def info(self) -> TargetInfo:
        """The target as it really runs now."""

    def stop(self) -> None:
        """Gentle signal, then firm; returns when nothing is left. A target that was attached to is left alone."""
