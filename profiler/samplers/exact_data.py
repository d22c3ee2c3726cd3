"""What the recorder of the exact sampler leaves on disk, read into a raw capture."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from profiler.errors import SamplerError
from profiler.model.profile import NO_BLOCK, ModuleTraits, RawCapture, RawFrame, Samples

FRAMES_FILE = "exact.json"
SAMPLES_FILE = "exact.samples"

OF_SAMPLES = (
    "exact", "prologue", "truncated", "unspliced", "native_only", "root_reached",
    "gil_held", "gil_released", "gil_waiting", "unknown_symbols",
)  # fmt: skip
"""Counts of samples that become shares of all samples, under the same names."""

OF_WAITS = {
    "gil_waiting": "[waiting for the GIL]",
    "cpu_waiting": "[waiting for a CPU]",
    "truncated": "[native frames missing]",
    "unspliced": "[unspliced]",
}
"""Shares of the waiting time whose stacks hold a mark."""

TOO_FEW_EXACT = 0.99
TOO_MANY_EARLY = 0.01


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """`exact.json`."""

    frames: tuple[RawFrame, ...]
    stacks: tuple[tuple[int, ...], ...]
    modules: dict[str, ModuleTraits]
    threads: tuple[tuple[int, int, str], ...]
    samples: int
    lost: int
    counts: dict[str, int]
    notes: tuple[str, ...]
    cpu_s: float


def read_exact(folder: Path, period_ns: int, version: str, *, waits: bool = False) -> RawCapture:
    """The recorder's result; each sample stands for one period of CPU time, or of wall time where it took waits.

    Raises:
        SamplerError: the files are missing or damaged.
    """
    try:
        content = msgspec.json.decode((folder / FRAMES_FILE).read_bytes(), type=Content)
        columns = np.fromfile(folder / SAMPLES_FILE, dtype="<i8").reshape(4, content.samples)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise SamplerError(f"the recorder's result can't be read: {error}", hint=f"its folder: {folder}") from error
    time_ns, pid, tid, stack = (column.astype(np.int64) for column in columns)
    samples = Samples(
        time_ns=time_ns,
        pid=pid,
        tid=tid,
        block=np.full(content.samples, NO_BLOCK, dtype=np.int64),
        weight_ns=np.full(content.samples, period_ns, dtype=np.int64),
        stack=stack,
    )
    return RawCapture(
        clock="wall" if waits else "cpu",
        frames=content.frames,
        stacks=content.stacks,
        samples=samples,
        modules=content.modules,
        threads={(pid_, tid_): name for pid_, tid_, name in content.threads},
        lost=content.lost,
        quality=_wait_shares(content, stack) if waits else _shares(content),
        warnings=_warnings(content),
        version=version,
        sampler_cpu_s=content.cpu_s,
    )


def _shares(content: Content) -> dict[str, float]:
    total = max(content.samples, 1)
    return {name: content.counts[name] / total for name in OF_SAMPLES}


def _wait_shares(content: Content, stack: npt.NDArray[np.int64]) -> dict[str, float]:
    """Shares of the waiting time. The recorder's own counts are of stacks, one for each wait however long."""
    weights = np.bincount(stack, minlength=len(content.stacks))
    total = max(content.samples, 1)

    def share(name: str) -> float:
        marks = {number for number, frame in enumerate(content.frames) if frame.name == name}
        held = [bool(marks.intersection(frames)) for frames in content.stacks]
        return float(weights[np.array(held, dtype=np.bool_)].sum()) / total

    return {label: share(mark) for label, mark in OF_WAITS.items()}


def _warnings(content: Content) -> tuple[str, ...]:
    warnings = list(content.notes)
    shares = _shares(content)
    total = max(content.samples, 1)
    fitting = 1 - shares["unspliced"] - shares["truncated"]
    if content.samples and fitting < TOO_FEW_EXACT:
        warnings.append(
            f"{1 - fitting:.1%} of the samples have an incomplete stack: {shares['truncated']:.1%} are cut off, in "
            f"{shares['unspliced']:.1%} native and Python frames do not fit"
        )
    if content.counts["early"] / total > TOO_MANY_EARLY:
        warnings.append(f"{content.counts['early'] / total:.1%} of the samples were taken before a child was known")
    if content.counts["lost_stacks"]:
        warnings.append(f"{content.counts['lost_stacks']} samples lost their native stack: the ring was full")
    return tuple(warnings)
