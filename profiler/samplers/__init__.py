"""Samplers, each with a `probe()` that says why it can't run here and what would fix it."""

from __future__ import annotations

from profiler.errors import SamplerError, UsageError
from profiler.samplers.base import Missing, Sampler, SamplerOptions, SamplerSession
from profiler.samplers.exact import Exact
from profiler.samplers.exact_off_cpu import ExactOffCpu
from profiler.samplers.none import NoSampler
from profiler.samplers.perf import Perf, PerfTrampoline
from profiler.samplers.py_spy import PySpy
from profiler.samplers.rated import RatedSampler, parse_rate
from profiler.samplers.scalene import Scalene

__all__ = [
    "LADDER", "SAMPLERS", "Missing", "Sampler", "SamplerOptions", "SamplerSession", "find_sampler", "usable_ladder",
]  # fmt: skip

SAMPLERS: tuple[Sampler, ...] = (Exact(), ExactOffCpu(), Perf(), PerfTrampoline(), PySpy(), Scalene(), NoSampler())

LADDER = ("exact", "perf-trampoline", "perf", "py-spy")
"""What `record` takes where the user names no sampler: the first that can run, best picture first."""


def find_sampler(name: str) -> Sampler:
    """The sampler of this name, `exact`, or with a rate of its own, `exact@99`; UsageError where there is none."""
    plain, at, rate = name.partition("@")
    for sampler in SAMPLERS:
        if sampler.name == plain:
            return RatedSampler(sampler, parse_rate(rate)) if at else sampler
    raise UsageError(f"no sampler {name!r}", hint=f"there are: {', '.join(sampler.name for sampler in SAMPLERS)}")


def usable_ladder(*, launched: bool) -> tuple[tuple[Sampler, ...], tuple[str, ...]]:
    """(the rungs that can run here, best first; why each better one than the first can't, a sentence each).

    Rungs that work from inside are left out where the target is not started by the recording.

    Raises:
        SamplerError: none can, with the first reason and its fix.
    """
    usable: list[Sampler] = []
    missing: list[Missing] = []
    reasons: list[str] = []
    for sampler in map(find_sampler, LADDER):
        if sampler.inside and not launched:
            continue
        lack = sampler.probe(SamplerOptions(hz=sampler.default_hz))
        if lack is None:
            usable.append(sampler)
            continue
        missing.append(lack)
        if not usable:
            reasons.append(f"{sampler.name} can't sample here: {lack.reason} ({lack.fix})")
    if not usable:
        raise SamplerError(f"nothing can sample here: {missing[0].reason}", hint=missing[0].fix)
    return tuple(usable), tuple(reasons)
