"""From finished segments to the metadata of a run, with every doubt about it spelled out. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import msgspec

from profiler.capture.assemble import (
    agreement_estimate,
    assign_blocks,
    cpu_estimate,
    overhead_estimate,
    rate_estimate,
)
from profiler.load.verdict import GENERATOR_BOUND
from profiler.model.block import Block
from profiler.model.estimate import Estimate
from profiler.model.load import Endpoint, LoadResult
from profiler.model.profile import Profile, RawCapture
from profiler.model.run import Capture, EndpointInfo
from profiler.samplers.base import Sampler, SamplerOptions
from profiler.stacks import build_profile
from profiler.stacks.shares import language_shares

# Sampled and measured CPU may differ by this much before the picture is not to be trusted.
AGREEMENT_LIMIT = 0.10
# More failed requests than this, and CPU per request describes something else than the endpoint.
ERROR_LIMIT = 0.01


def merge_blocks(segments: Iterable[Sequence[Block]]) -> tuple[Block, ...]:
    """The blocks of all segments, numbered through."""
    blocks = (block for segment in segments for block in segment)
    return tuple(msgspec.structs.replace(block, index=number) for number, block in enumerate(blocks))


def describe_capture(
    sampler: Sampler, options: SamplerOptions, raw: RawCapture, blocks: Sequence[Block], roots: Sequence[str]
) -> tuple[Capture, Profile]:
    """One sampler's part of the run, and its profile with every sample in its block."""
    profile = build_profile(raw, roots=roots)
    samples = assign_blocks(profile.samples, blocks, sampler.name)
    profile = dataclasses.replace(profile, samples=samples)
    sampled, measured, agreement = agreement_estimate(samples, blocks, sampler.name)
    segment = next((block.segment for block in blocks if block.sampler == sampler.name), 0)
    waits = raw.clock == "wall"
    capture = Capture(
        sampler=sampler.name,
        version=raw.version,
        hz=options.hz,
        clock=raw.clock,
        samples=len(samples),
        lost=raw.lost,
        quality=raw.quality,
        distorted=sampler.distortion,
        languages=language_shares(profile),
        sampled_cpu_ns=0 if waits else sampled,
        measured_cpu_ns=measured,
        # Waiting time and a sampler that takes no stacks at all (scalene) have nothing to be compared with.
        agreement=agreement if profile.stacks and not waits else None,
        overhead=overhead_estimate(blocks, sampler.name, segment=segment),
        sampler_cpu_s=raw.sampler_cpu_s,
        warnings=raw.warnings,
    )
    return capture, profile


def describe_endpoint(endpoint: Endpoint | None, response_bytes: int) -> EndpointInfo | None:
    """What was asked, without header values, body or query: those may hold secrets."""
    if endpoint is None:
        return None
    return EndpointInfo(
        path=endpoint.path.split("?", 1)[0],
        method=endpoint.method,
        header_names=tuple(name for name, _ in endpoint.headers),
        body_bytes=len(endpoint.body),
        status=endpoint.expect_status,
        response_bytes=response_bytes,
    )


def figures(blocks: Sequence[Block], *, loaded: bool) -> tuple[Estimate | None, Estimate | None]:
    """(CPU, rate) of the run: from blocks without sampling where there are any, of the first segment that has some."""
    undisturbed = [block for block in blocks if not block.sampler]
    chosen = [block for block in undisturbed if block.segment == undisturbed[0].segment] or list(blocks)
    return cpu_estimate(chosen, loaded=loaded), rate_estimate(chosen) if loaded else None


def doubts(
    blocks: Sequence[Block], load: LoadResult | None, captures: Iterable[Capture]
) -> tuple[list[str], list[str]]:
    """(all warnings, those that forbid using the figures)."""
    fatal: list[str] = []
    mild: list[str] = []
    if load is not None:
        mild.extend(load.warnings)
        if load.account is not None and not load.account.balanced:
            fatal.append(f"requests are not accounted for: {load.account}")
        if load.verdict == GENERATOR_BOUND:
            fatal.append(f"the load generator was the limit, not the server: {'; '.join(load.reasons)}")
        errors = sum(block.errors for block in blocks)
        requests = sum(block.requests for block in blocks)
        if errors > ERROR_LIMIT * max(requests, 1):
            fatal.append(f"{errors} of {errors + requests} requests failed: {_classes(load)}")
    for capture in captures:
        value = capture.agreement.value if capture.agreement is not None else None
        if value is not None and capture.samples and abs(value - 1) > AGREEMENT_LIMIT:
            fatal.append(
                f"{capture.sampler} saw {value:.0%} of the CPU time that the kernel measured; "
                "its picture does not stand for where the time goes"
            )
        mild.extend(f"{capture.sampler}: {warning}" for warning in capture.warnings)
    marks = [mark for block in blocks for mark in block.marks]
    if marks:
        mild.append(f"the target's processes changed while it was measured: {', '.join(marks[:4])}")
    return [*fatal, *mild], fatal


def _classes(load: LoadResult) -> str:
    return ", ".join(f"{count} {name}" for name, count in load.errors.items() if count) or "class unknown"
