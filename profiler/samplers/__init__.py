"""Samplers, each with a `probe()` that says why it can't run here and what would fix it."""

from __future__ import annotations

from profiler.errors import SamplerError, UsageError
from profiler.samplers.base import Missing, Sampler, SamplerOptions, SamplerSession
from profiler.samplers.exact import Exact
from profiler.samplers.none import NoSampler
from profiler.samplers.perf import Perf, PerfTrampoline
from profiler.samplers.py_spy import PySpy
from profiler.samplers.scalene import Scalene

__all__ = [
    "LADDER", "SAMPLERS", "Missing", "Sampler", "SamplerOptions", "SamplerSession", "default_sampler", "find_sampler",
]  # fmt: skip

SAMPLERS: tuple[Sampler, ...] = (Exact(), Perf(), PerfTrampoline(), PySpy(), Scalene(), NoSampler())

LADDER = ("exact", "perf-trampoline", "perf", "py-spy")
"""What `record` takes where the user names no sampler: the first that can run, best picture first."""


def find_sampler(name: str) -> Sampler:
    """The sampler of this name; UsageError where there is none."""
    for sampler in SAMPLERS:
        if sampler.name == name:
            return sampler
    raise UsageError(f"no sampler {name!r}", hint=f"there are: {', '.join(sampler.name for sampler in SAMPLERS)}")


def default_sampler(*, launched: bool) -> str:
    """The first of the ladder that can run here; those that work from inside only where the target is started.

    Raises:
        SamplerError: none can, with the first reason and its fix.
    """
    reasons: list[Missing] = []
    for name in LADDER:
        sampler = find_sampler(name)
        if sampler.inside and not launched:
            continue
        missing = sampler.probe(SamplerOptions(hz=sampler.default_hz))
        if missing is None:
            return name
        reasons.append(missing)
    raise SamplerError(f"nothing can sample here: {reasons[0].reason}", hint=reasons[0].fix)
