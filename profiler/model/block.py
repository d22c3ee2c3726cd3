"""Windows and blocks: how the measured time of a run is cut."""

from __future__ import annotations

import msgspec

LOAD_BLOCKS_SCHEMA = "profiler.load-blocks/1"


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of measured time agreed in advance: equal blocks from an instant still to come."""

    index: int
    start_ns: int
    """CLOCK_MONOTONIC."""
    block_ns: int
    blocks: int

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.block_ns * self.blocks

    def edges(self) -> tuple[int, ...]:
        """The `blocks + 1` instants at which counters are read."""
        return tuple(self.start_ns + i * self.block_ns for i in range(self.blocks + 1))


class EndpointCount(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one endpoint inside one block."""

    offered: int = 0
    requests: int
    bytes: int = 0
    errors: dict[str, int] = {}
    """By class; classes without an error are left out."""
    uncorrected: str = ""
    """HDR histogram (V2, deflate, base64) of nanoseconds from the actual start; empty where the generator has none."""
    corrected: str = ""
    """The same from the intended start, where there is a schedule."""


class BlockCount(msgspec.Struct, frozen=True, kw_only=True):
    """What the load generator completed inside one block."""

    requests: int
    """Verified responses whose last byte arrived inside the block."""
    errors: int
    bytes: int = 0
    offered: int = 0
    in_flight: int = 0
    """Requests that were offered and neither answered nor failed at the end of the block."""
    depth: float = 0.0
    """Requests on the wire, averaged over the block's time."""
    opened: int = 0
    """Connections opened inside the block."""
    generator_cpu_ns: int = 0
    generator_wait_ns: int = 0
    """Time the generator was ready to run and had no CPU."""
    lag: str = ""
    """HDR histogram of the generator's own delay: behind its schedule, or between an answer and its handling."""
    endpoints: tuple[EndpointCount, ...] = ()


class LoadBlock(msgspec.Struct, frozen=True, kw_only=True):
    """One block of a run as the load generator saw it, with the server's CPU time between the same instants."""

    start_ns: int
    end_ns: int
    server_cpu_ns: int
    count: BlockCount


class LoadBlocks(msgspec.Struct, frozen=True, kw_only=True):
    """All of one start of the target."""

    schema: str = LOAD_BLOCKS_SCHEMA
    segment: int
    blocks: tuple[LoadBlock, ...]


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of a run with its own request count and CPU time."""

    index: int
    window: int
    segment: int = 0
    """Which start of the target it belongs to; a sampler that changes how the target is launched has its own."""
    sampler: str = ""
    """Name of the sampler that was on; empty for a block without sampling."""
    round: int = 0
    """Every condition (no sampler, each sampler) has one window in each round, in random order: windows of one round
    are compared with each other."""
    start_ns: int
    end_ns: int
    requests: int
    errors: int
    cpu_ns: int
    """CPU time of every process of the target between start and end."""
    marks: tuple[str, ...] = ()
    """Events inside the block: `worker 12 exited`, `worker 15 started`, …"""

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9
