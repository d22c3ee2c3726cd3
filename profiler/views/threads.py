"""Time by thread."""

from __future__ import annotations

import msgspec
import numpy as np

from profiler.model.profile import Int64
from profiler.views.picture import Picture, sum_by


class ThreadRow(msgspec.Struct, frozen=True, kw_only=True):
    """One thread of the target."""

    pid: int
    tid: int
    """0 where the sampler does not tell threads apart."""
    name: str
    weight_ns: int
    time: float
    """In the picture's unit."""
    share: float
    """Of the picture's weight."""

    @property
    def label(self) -> str:
        """Name and numbers, unique in a run."""
        return f"{self.name or 'thread'} {self.pid}/{self.tid}"


def thread_rows(picture: Picture) -> tuple[ThreadRow, ...]:
    """Every thread with samples, heaviest first."""
    return tuple(sorted(_rows(picture), key=lambda row: (-row.weight_ns, row.pid, row.tid)))


def thread_index(picture: Picture) -> tuple[tuple[tuple[int, int], ...], Int64]:
    """((pid, tid) of each thread with samples, number of each sample's thread)."""
    # Both are below 2^32; one number sorts much faster than a pair.
    keys = (picture.samples.pid << 32) | picture.samples.tid
    distinct, inverse = np.unique(keys, return_inverse=True)
    return tuple((key >> 32, key & 0xFFFFFFFF) for key in distinct.tolist()), inverse.astype(np.int64)


def _rows(picture: Picture) -> list[ThreadRow]:
    threads, place = thread_index(picture)
    weights = sum_by(place, picture.samples.weight_ns, len(threads)).tolist()
    total = picture.total_ns or 1
    return [
        ThreadRow(
            pid=pid,
            tid=tid,
            name=picture.threads.get((pid, tid), ""),
            weight_ns=weight,
            time=picture.basis.value(weight),
            share=weight / total,
        )
        for (pid, tid), weight in zip(threads, weights, strict=True)
    ]
