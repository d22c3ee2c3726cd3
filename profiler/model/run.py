"""A run: what `run.json` says of one capture."""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

from profiler.model.block import Block
from profiler.model.estimate import Estimate
from profiler.model.load import LoadResult

RUN_SCHEMA = "profiler.run/1"


class RunState(enum.StrEnum):
    SEALED = "sealed"
    PARTIAL = "partial"
    """Broken off; what was measured until then is kept."""


class ProcessInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the target, as seen at the end of the warm-up."""

    pid: int
    parent: int
    name: str
    threads: dict[str, int] = {}
    """How many threads of each name."""


class TargetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The server under test, as it was really started."""

    kind: str
    name: str
    """What a person calls it: project folder, or the command."""
    command: tuple[str, ...] = ()
    """As started; values of options that look like secrets are masked."""
    url: str = ""
    python: str = ""
    """Implementation and version of the target's interpreter, where it has one."""
    packages: dict[str, str] = {}
    """Versions of the server packages found in the target's interpreter."""
    processes: tuple[ProcessInfo, ...] = ()
    cpus: tuple[int, ...] = ()
    access_log: str = "unknown"
    """on, off or unknown, with the level where it is known."""
    bundled: bool = False
    notes: tuple[str, ...] = ()


class EndpointInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, without anything that could be a secret."""

    path: str
    method: str
    header_names: tuple[str, ...] = ()
    body_bytes: int = 0
    status: int = 0
    response_bytes: int = 0


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """What one sampler did in this run. Its stacks lie beside, under the same name."""

    sampler: str
    version: str = ""
    hz: float
    clock: Literal["cpu", "wall"] = "cpu"
    """What the weights are: CPU time, or wall time that threads spent on no CPU."""
    samples: int
    lost: int = 0
    quality: dict[str, float] = {}
    distorted: str = ""
    """Why the picture differs from production, where it does: `perf trampoline changes how Python calls run`."""
    languages: dict[str, float] = {}
    """Share of sampled CPU by language; adds to 1."""
    sampled_cpu_ns: int = 0
    measured_cpu_ns: int = 0
    """CPU time of the target over the same blocks, by the kernel's own account."""
    agreement: Estimate | None = None
    """Sampled CPU / measured CPU."""
    overhead: Estimate | None = None
    """Relative change of CPU per request while sampling."""
    sampler_cpu_s: float | None = None
    """CPU time the sampler itself used, on its own CPUs."""
    warnings: tuple[str, ...] = ()


class RunMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a run but its stacks."""

    schema: str = RUN_SCHEMA
    id: str
    created: str
    """ISO 8601, UTC."""
    state: RunState = RunState.SEALED
    target: TargetInfo
    endpoint: EndpointInfo | None = None
    load: LoadResult | None = None
    blocks: tuple[Block, ...] = ()
    captures: tuple[Capture, ...] = ()
    rps: Estimate | None = None
    cpu: Estimate | None = None
    """CPU µs per request, or CPU seconds per second where there was no load; from blocks without sampling."""
    machine: dict[str, str] = {}
    versions: dict[str, str] = {}
    seed: int = 0
    """Of the order of the windows."""
    warnings: tuple[str, ...] = ()
    untrusted: tuple[str, ...] = ()
    """The warnings that forbid using the figures; `record` then ends with exit code 5."""
