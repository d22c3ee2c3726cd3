"""What the windows of py-spy left, as one capture."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from profiler._native import module_traits
from profiler.model.frame import Language
from profiler.model.profile import NO_BLOCK, Int64, ModuleTraits, RawCapture, RawFrame, Samples
from profiler.stacks.pyspy_raw import parse_pyspy_raw

_GOLDEN = (5**0.5 - 1) / 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one py-spy left."""

    raw: str
    start_ns: int
    """CLOCK_MONOTONIC, when it had begun to sample."""
    end_ns: int
    samples: int
    errors: int


def merge_windows(windows: Sequence[Window], weight_ns: float) -> RawCapture:
    """All windows as one capture, with a sample for each time a stack was seen.

    py-spy does not say when. The samples of a window are spread evenly over it, each stack's over the whole of it: the
    sum over any stretch of time is then as near as it can be, and the order inside a window means nothing.
    """
    frames: dict[RawFrame, int] = {}
    stacks: dict[tuple[int, ...], int] = {}
    threads: dict[tuple[int, int], str] = {}
    parts: list[Int64] = [np.empty((4, 0), dtype=np.int64)]
    for window in windows:
        part = parse_pyspy_raw(window.raw)
        threads |= part.threads
        numbers = [frames.setdefault(frame, len(frames)) for frame in part.frames]
        merged = [stacks.setdefault(tuple(numbers[index] for index in stack), len(stacks)) for stack in part.stacks]
        counts = part.samples.weight_ns
        stack = np.array(merged, dtype=np.int64)[part.samples.stack]
        columns = np.stack([part.samples.pid, part.samples.tid, stack])
        repeated = np.repeat(columns, counts, axis=1)
        parts.append(np.vstack([spread(repeated.shape[1], window.start_ns, window.end_ns), repeated]))
    time_ns, pid, tid, stack = np.concatenate(parts, axis=1)
    size = len(stack)
    samples = Samples(
        time_ns=time_ns, pid=pid, tid=tid, block=np.full(size, NO_BLOCK, dtype=np.int64),
        weight_ns=np.full(size, round(weight_ns), dtype=np.int64), stack=stack,
    )  # fmt: skip
    return RawCapture(
        frames=tuple(frames), stacks=tuple(stacks), samples=samples, threads=threads, modules=read_traits(frames)
    )


def read_traits(frames: Iterable[RawFrame]) -> dict[str, ModuleTraits]:
    """What the files say of themselves: py-spy gives their paths and, where they are stripped, no names that would."""
    paths = {frame.module for frame in frames if frame.kind == "native" and frame.module.startswith("/")}
    return {
        str(path): ModuleTraits(language=Language(language), build_id=build_id, stripped=stripped)
        for path, (language, build_id, stripped) in module_traits(sorted(paths)).items()
    }


def spread(count: int, start_ns: int, end_ns: int) -> Int64:
    """Instants in [start, end), such that those of any run of neighbours are evenly spread."""
    place = (np.arange(count) * _GOLDEN + 0.5) % 1.0
    return (start_ns + (place * (end_ns - start_ns)).astype(np.int64)).astype(np.int64)
