"""A sampler at a rate of its own, so that one run can compare rates: `exact@99,exact@499`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from profiler.errors import UsageError
from profiler.model.launch import Launch
from profiler.samplers.base import Missing, Sampler, SamplerOptions, SamplerSession


class RatedSampler:
    """The sampler under the name `sampler@rate`; its rate is not changed by anything else."""

    def __init__(self, sampler: Sampler, hz: float) -> None:
        self._sampler = sampler
        self.name = f"{sampler.name}@{hz:g}"
        self.default_hz = hz
        self.window_s = sampler.window_s
        self.inside = sampler.inside
        self.switchable = sampler.switchable
        self.distortion = sampler.distortion

    def probe(self, options: SamplerOptions) -> Missing | None:
        return self._sampler.probe(self._rated(options))

    def wrap(self, launch: Launch, options: SamplerOptions, folder: Path) -> Launch:
        return self._sampler.wrap(launch, self._rated(options), folder)

    def attach(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> SamplerSession:
        return self._sampler.attach(pids, self._rated(options), folder)

    def _rated(self, options: SamplerOptions) -> SamplerOptions:
        return msgspec.structs.replace(options, hz=self.default_hz)


def parse_rate(text: str) -> float:
    """The rate after the @; UsageError where it is none."""
    try:
        hz = float(text)
    except ValueError:
        hz = 0.0
    if not 1 <= hz <= 10_000:
        raise UsageError(f"@{text} is no rate of samples a second", hint="for instance exact@499; from 1 to 10000")
    return hz
