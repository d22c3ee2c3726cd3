"""What one recording is asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from profiler.load.base import Tick
from profiler.model.load import Endpoint
from profiler.targets.base import TargetSpec

NO_LOAD = "none"


class CaptureOptions(msgspec.Struct, frozen=True, kw_only=True):
    target: TargetSpec
    endpoint: Endpoint | None = None
    """None without load."""
    samplers: tuple[str, ...] = ()
    """Empty: the best that can run here, and the next best where that one does not understand the target."""
    hz: float | None = None
    """Samples per second; None is each sampler's own default."""
    load: str = "native"
    """Name of the load generator, or `none`."""
    connections: int = 50
    rps: float | None = None
    duration_s: float = 10.0
    """Time each sampler samples; as much again is measured without sampling."""
    warm_up_s: float = 2.0
    ready_timeout_s: float = 30.0
    client_cpus: tuple[int, ...] = ()
    output: Path | None = None
    symbols: str = "auto"
    """Overlays with symbols: auto, off, or the folder of one."""
    seed: int = 0
    """Of the order of the windows."""

    @property
    def loaded(self) -> bool:
        return self.load != NO_LOAD


class Progress(Protocol):
    """Who is told how far the recording is."""

    def phase(self, text: str) -> None:
        """A new step has begun."""

    def advance(self, done: int, total: int) -> None:
        """So many windows of the step are over."""

    def tick(self, tick: Tick) -> None:
        """A live figure from the load generator."""
