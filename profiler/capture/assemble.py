"""From blocks and stacks to the figures of a run. Pure."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from profiler.model.block import Block
from profiler.model.estimate import Estimate
from profiler.model.profile import NO_BLOCK, Samples
from profiler.stats.ratio import ratio_estimate, relative_change


def assign_blocks(samples: Samples, blocks: Sequence[Block], sampler: str) -> Samples:
    """The samples with each one's block: the block of this sampler whose time holds the sample's, else NO_BLOCK."""
    own = sorted((block for block in blocks if block.sampler == sampler), key=lambda block: block.start_ns)
    if not own:
        return dataclasses.replace(samples, block=np.full(len(samples), NO_BLOCK, dtype=np.int64))
    starts = np.array([block.start_ns for block in own], dtype=np.int64)
    ends = np.array([block.end_ns for block in own], dtype=np.int64)
    indices = np.array([block.index for block in own], dtype=np.int64)
    place = np.searchsorted(starts, samples.time_ns, side="right") - 1
    inside = (place >= 0) & (samples.time_ns < ends[np.maximum(place, 0)])
    return dataclasses.replace(samples, block=np.where(inside, indices[np.maximum(place, 0)], NO_BLOCK))


def cpu_estimate(blocks: Iterable[Block], *, loaded: bool) -> Estimate | None:
    """CPU µs per request over windows; CPU seconds per second where nothing was requested. None without data."""
    windows = _by_window(blocks)
    cpu = [float(sum(block.cpu_ns for block in window)) for window in windows]
    if loaded:
        requests = [float(sum(block.requests for block in window)) for window in windows]
        return ratio_estimate([c / 1e3 for c in cpu], requests, "µs per request") if sum(requests) else None
    seconds = [sum(block.seconds for block in window) for window in windows]
    return ratio_estimate([c / 1e9 for c in cpu], seconds, "CPU seconds per second") if seconds else None


def rate_estimate(blocks: Iterable[Block]) -> Estimate | None:
    """Requests per second over windows. None without data."""
    windows = _by_window(blocks)
    if not windows:
        return None
    requests = [float(sum(block.requests for block in window)) for window in windows]
    return ratio_estimate(requests, [sum(block.seconds for block in window) for window in windows], "requests/s")


def server_busy(blocks: Iterable[Block], cpus: int) -> float:
    """CPU time of the target per CPU that it may use, over all blocks; 0 without any."""
    taken = list(blocks)
    seconds = sum(block.seconds for block in taken)
    return sum(block.cpu_ns for block in taken) / 1e9 / (seconds * cpus) if seconds and cpus else 0.0


def agreement_estimate(samples: Samples, blocks: Sequence[Block], sampler: str) -> tuple[int, int, Estimate | None]:
    """(sampled CPU ns, measured CPU ns, sampled / measured over windows) of one sampler's own blocks."""
    own = [block for block in blocks if block.sampler == sampler]
    weight: dict[int, int] = defaultdict(int)
    measured = samples.block != NO_BLOCK
    totals = np.zeros(max((block.index for block in blocks), default=-1) + 1, dtype=np.int64)
    np.add.at(totals, samples.block[measured], samples.weight_ns[measured])
    for block in own:
        weight[block.window] += int(totals[block.index])
    windows = _by_window(own)
    sampled = [float(weight[window[0].window]) for window in windows]
    cpu = [float(sum(block.cpu_ns for block in window)) for window in windows]
    estimate = ratio_estimate(sampled, cpu, "sampled CPU / measured CPU") if sum(cpu) else None
    return int(sum(sampled)), int(sum(cpu)), estimate


def overhead_estimate(blocks: Iterable[Block], sampler: str, *, segment: int) -> Estimate | None:
    """Relative change of CPU per request while this sampler was on, round by round. None without pairs."""
    with_sampler: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    without: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for block in blocks:
        if block.segment != segment or block.sampler not in ("", sampler):
            continue
        side = with_sampler if block.sampler else without
        cpu, requests = side[block.round]
        side[block.round] = (cpu + block.cpu_ns, requests + block.requests)
    rounds = [
        number
        for number in sorted(with_sampler.keys() & without.keys())
        if all(side[number][0] > 0 and side[number][1] > 0 for side in (with_sampler, without))
    ]
    if not rounds:
        return None
    return relative_change(
        [with_sampler[number][0] / with_sampler[number][1] for number in rounds],
        [without[number][0] / without[number][1] for number in rounds],
    )


def _by_window(blocks: Iterable[Block]) -> list[list[Block]]:
    windows: dict[int, list[Block]] = defaultdict(list)
    for block in blocks:
        windows[block.window].append(block)
    return [windows[index] for index in sorted(windows)]
