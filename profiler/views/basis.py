"""What weights are divided by: the requests, or else the seconds, of the blocks in which the sampler was on.

The unit is CPU microseconds per request where requests were counted in those blocks, CPU seconds per second where none
were (`--load none`), and plain CPU seconds where the run has no blocks at all (an imported capture). A capture of waits
has units of its own, which say that they are wall time off the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from profiler.model.block import Block
from profiler.model.estimate import Estimate
from profiler.model.profile import Int64
from profiler.model.run import RunMetadata
from profiler.stats.ratio import ratio_estimate

PER_REQUEST = "µs per request"
PER_SECOND = "CPU seconds per second"
PLAIN = "CPU seconds"
OFF_CPU_PER_REQUEST = "µs off-CPU wall time per request"
OFF_CPU_PER_SECOND = "off-CPU seconds per second"
OFF_CPU_PLAIN = "off-CPU seconds"
BY_REQUEST = (PER_REQUEST, OFF_CPU_PER_REQUEST)
BY_SECOND = (PER_SECOND, OFF_CPU_PER_SECOND)

# Fewer windows than this give too wide an interval; then blocks stand for themselves.
MIN_WINDOWS = 5


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """How Σ nanoseconds becomes a figure with an interval."""

    unit: str
    scale: float
    """Nanoseconds × scale is the numerator's unit: 1e-3 for microseconds, 1e-9 for seconds."""
    denominators: tuple[float, ...] = ()
    """Requests (or seconds) of each group of blocks; empty where there is nothing to divide by."""
    groups: dict[int, int] = {}
    """Block index → which group it belongs to: its window, or itself where there are few windows."""

    @property
    def requests(self) -> int:
        """Requests behind the figures; 0 where none were counted."""
        return round(sum(self.denominators)) if self.unit in BY_REQUEST else 0

    def value(self, weight_ns: float) -> float:
        """One weight in this unit."""
        return weight_ns * self.scale / (sum(self.denominators) if self.denominators else 1.0)

    def estimate(self, group_ns: Sequence[float]) -> Estimate:
        """Weights by group in this unit, with their interval over groups."""
        if not self.denominators:
            return Estimate(value=sum(group_ns) * self.scale, low=None, high=None, n=1, unit=self.unit)
        return ratio_estimate([ns * self.scale for ns in group_ns], self.denominators, self.unit)

    def group_of(self, blocks: Int64) -> Int64:
        """The group of each sample's block; 0 for all where there are no groups."""
        if not self.groups:
            return np.zeros(len(blocks), dtype=np.int64)
        table = np.zeros(max(self.groups) + 1, dtype=np.int64)
        for block, group in self.groups.items():
            table[block] = group
        return table[blocks]


def make_basis(metadata: RunMetadata, sampler: str) -> Basis:
    """The basis of one sampler's figures: only blocks in which it was on."""
    blocks = [block for block in metadata.blocks if block.sampler == sampler]
    waits = any(capture.sampler == sampler and capture.clock == "wall" for capture in metadata.captures)
    if not blocks:
        return Basis(unit=OFF_CPU_PLAIN if waits else PLAIN, scale=1e-9)
    keys = sorted({block.window for block in blocks})
    by_window = len(keys) >= MIN_WINDOWS
    place = {key: number for number, key in enumerate(keys)}
    groups = {block.index: place[block.window] if by_window else number for number, block in enumerate(blocks)}
    if any(block.requests for block in blocks):
        unit = OFF_CPU_PER_REQUEST if waits else PER_REQUEST
        return Basis(unit=unit, scale=1e-3, denominators=_sums(blocks, groups, "requests"), groups=groups)
    unit = OFF_CPU_PER_SECOND if waits else PER_SECOND
    return Basis(unit=unit, scale=1e-9, denominators=_sums(blocks, groups, "seconds"), groups=groups)


def _sums(blocks: Sequence[Block], groups: dict[int, int], field: str) -> tuple[float, ...]:
    sums = [0.0] * (max(groups.values()) + 1)
    for block in blocks:
        sums[groups[block.index]] += float(getattr(block, field))
    return tuple(sums)
