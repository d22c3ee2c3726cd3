"""What a load generator is. One file per generator; the ordered tuple is in the package's `__init__`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from profiler.model.block import BlockCount, Window
from profiler.model.load import LoadResult, LoadSpec


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """Live progress, a few times a second."""

    phase: str
    """warm-up, window or gap."""
    rps: float
    errors: int
    p99_ms: float | None = None


class LoadSession(Protocol):
    """A load running against a target in a process of its own, from `start` until `stop`."""

    pid: int

    def warm_up(self, progress: Callable[[Tick], None]) -> None:
        """Blocks until the request rate is steady, or until the generator gave up waiting for that."""

    def begin(self, window: Window) -> None:
        """Announce a window that has yet to start; the load goes on without a pause."""

    def collect(self, window: Window) -> tuple[BlockCount, ...]:
        """Blocks until the window is over; one count for each of its blocks."""

    def stop(self) -> LoadResult:
        """Drain, end the process, and sum up the windows. Called once, also after a failure."""


class LoadGenerator(Protocol):
    """A way to offer load."""

    name: str

    def probe(self) -> str | None:
        """None when it can run here, else one sentence: what is missing and the command that fixes it."""

    def start(self, spec: LoadSpec, log: Path) -> LoadSession:
        """Connect and begin to send; what the generator prints goes to `log`."""
