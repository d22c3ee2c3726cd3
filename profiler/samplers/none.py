"""No sampler: load and CPU per request only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiler.model.launch import Launch
from profiler.model.profile import RawCapture, Samples
from profiler.samplers.base import Missing, SamplerOptions, SamplerSession


class NoSession:
    def on(self) -> None:
        """Nothing to start."""

    def off(self) -> None:
        """Nothing to stop."""

    def finish(self) -> RawCapture:
        return RawCapture(frames=(), stacks=(), samples=Samples.empty())


class NoSampler:
    """Samples nothing."""

    name = "none"
    default_hz = 0.0
    window_s = 1.0
    inside = False
    switchable = True
    distortion = ""

    def probe(self, options: SamplerOptions) -> Missing | None:
        return None

    def wrap(self, launch: Launch, options: SamplerOptions, folder: Path) -> Launch:
        return launch

    def attach(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> SamplerSession:
        return NoSession()
