"""What a sampler is. One file per sampler; the ordered tuple is in the package's `__init__`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from profiler.model.launch import Launch
from profiler.model.profile import RawCapture


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Why something can't run here, and the command that fixes it."""

    reason: str
    fix: str


class SamplerOptions(msgspec.Struct, frozen=True, kw_only=True):
    hz: float = 499.0
    """Samples per second of CPU time of each thread."""
    cpus: tuple[int, ...] = ()
    """CPU set for the sampler's own processes; empty leaves them free."""


class SamplerSession(Protocol):
    """A sampler at work on one target."""

    def on(self) -> None:
        """Start sampling; returns when samples are being taken."""

    def off(self) -> None:
        """Stop sampling; returns when the target runs undisturbed."""

    def finish(self) -> RawCapture:
        """End the sampler's processes, read what it took. Called once, also after a failure; never leaves a process."""


class Sampler(Protocol):
    """A way to take stacks."""

    name: str
    default_hz: float
    """Rate where the user names none."""
    window_s: float
    """Shortest sensible window, in seconds: long where starting and stopping is dear."""
    inside: bool
    """True where `wrap` changes the launch: the target then gets a start of its own for this sampler, so that no other
    sampler measures a changed target."""
    switchable: bool
    """False where it is on from the target's start to its end: windows without it then tell nothing of its cost."""
    distortion: str
    """Why its picture differs from production, as a sentence; empty where it does not."""

    def probe(self, options: SamplerOptions) -> Missing | None:
        """None when it can run here, else what is missing."""

    def wrap(self, launch: Launch, options: SamplerOptions, folder: Path) -> Launch:
        """The launch changed as this sampler needs it; most return it unchanged. `folder` is for its files."""

    def attach(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> SamplerSession:
        """Prepare to sample every thread of these processes and of all they will start; nothing is sampled yet."""
