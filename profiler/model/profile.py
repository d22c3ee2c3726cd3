"""A profile: weights by stack and block. And the raw capture it is built from."""

from __future__ import annotations

import dataclasses
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from profiler.model.frame import Frame, Language

Int64 = npt.NDArray[np.int64]

NO_BLOCK = -1
"""Block of a sample taken outside every measured block. Such samples are kept and never counted."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Samples as columns of equal length, in no promised order."""

    time_ns: Int64
    """CLOCK_MONOTONIC of the sample; a sampler that can't time its samples gives the start of its window."""
    pid: Int64
    tid: Int64
    """Thread; 0 where the sampler does not tell threads apart."""
    block: Int64
    """Index of the block, or NO_BLOCK."""
    weight_ns: Int64
    """CPU time the sample stands for (wall time in an off-CPU capture)."""
    stack: Int64
    """Index into the stacks."""

    def __len__(self) -> int:
        return len(self.stack)

    def select(self, rows: npt.NDArray[np.bool_]) -> Samples:
        """The rows where the mask is true."""
        return Samples(**{field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)})

    @classmethod
    def empty(cls) -> Samples:
        return cls(**{field.name: np.empty(0, dtype=np.int64) for field in dataclasses.fields(cls)})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one sampler saw in one run."""

    frames: tuple[Frame, ...]
    stacks: tuple[tuple[int, ...], ...]
    """Each stack is frame indices, root first, leaf last."""
    samples: Samples
    threads: dict[tuple[int, int], str] = dataclasses.field(default_factory=dict)
    """Thread names by (pid, tid)."""


class RawFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame as a sampler or a foreign file gives it, before it is classified and its name is normalised."""

    kind: Literal["python", "native", "kernel"]
    name: str
    """Symbol as found (mangled or demangled), or empty where there is none."""
    module: str = ""
    """Native: path of the ELF file. Python: source file. Kernel: kernel module or empty."""
    file: str = ""
    line: int = 0
    inlined: bool = False
    address: int = 0
    """Native without a symbol: start of the function's range (from `.eh_frame`) in the file's own addresses, else
    the address itself; 0 where unknown."""
    language: Language | None = None
    """What the debug information says of this function, where there is any."""


class ModuleTraits(msgspec.Struct, frozen=True, kw_only=True):
    """What an ELF file says of itself."""

    language: Language
    """Default for its frames: rust (rustc left its marks), cpython, c, or unknown (unreadable)."""
    build_id: str = ""
    stripped: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RawCapture:
    """What a sampler hands over: raw frames, distinct stacks, samples, and its own account of their quality."""

    frames: tuple[RawFrame, ...]
    stacks: tuple[tuple[int, ...], ...]
    """Root first, leaf last."""
    samples: Samples
    """`block` is filled by the capture; samplers set it to NO_BLOCK."""
    modules: dict[str, ModuleTraits] = dataclasses.field(default_factory=dict)
    threads: dict[tuple[int, int], str] = dataclasses.field(default_factory=dict)
    lost: int = 0
    """Samples the sampler knows it lost (ring full, failed reads)."""
    quality: dict[str, float] = dataclasses.field(default_factory=dict)
    """Shares from 0 to 1 by what they say: `truncated`, `unknown_symbols`, `errors`, `exact`, `unspliced`, …"""
    warnings: tuple[str, ...] = ()
    clock: Literal["cpu", "wall"] = "cpu"
    """What the weights are: CPU time, or wall time spent on no CPU."""
    version: str = ""
    """Version of the sampler's program."""
    sampler_cpu_s: float | None = None
    """CPU time the sampler's own processes used while sampling."""
