"""What threads wait for while they are on no CPU: wall time by scheduler events, with the exact sampler's stacks.

Every thread has one sampling instant at a random place in each period of wall time; a wait that holds some gets a stack
and stands for as many periods. See docs/exact.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiler.model.launch import Launch
from profiler.samplers.base import Missing, SamplerOptions, SamplerSession
from profiler.samplers.exact import ExactSession, probe_recorder


class ExactOffCpu:
    """The exact sampler on waits. A capture of its own: its weights are wall time and never mix with CPU time."""

    name = "exact-off-cpu"
    default_hz = 499.0
    window_s = 1.0
    inside = False
    switchable = True
    distortion = ""

    def probe(self, options: SamplerOptions) -> Missing | None:
        return probe_recorder(waits=True)

    def wrap(self, launch: Launch, options: SamplerOptions, folder: Path) -> Launch:
        return launch

    def attach(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> SamplerSession:
        return ExactSession(pids, options, folder, waits=True)
