"""pprof's protobuf, gzipped: for `go tool pprof` and everything that reads its format.

Inlined functions are several lines of one location, as the format wants it. Sample types are [samples, count] and
[cpu, nanoseconds]; labels are `thread`, `lang` (of the leaf) and, where the file stays small, `block`.
"""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np

from profiler.model.frame import Frame
from profiler.model.profile import Int64
from profiler.views.picture import Picture, sum_by
from profiler.views.threads import thread_index
from profiler.views.title import notes, recorded_at_ns, title

# With a label for the block, an hour's samples would hardly merge; then blocks are left out and a comment says so.
MAX_ROWS = 200_000


class PprofExporter:
    name = "pprof"
    suffix = ".pb.gz"
    by_line = True

    def encode(self, picture: Picture) -> bytes:
        writer = _Writer(picture)
        writer.add_samples()
        writer.add_header()
        return gzip.compress(writer.profile.SerializeToString(deterministic=True), mtime=0)


class _Writer:
    """Tables under construction; every table's ids start at 1, as the format asks."""

    def __init__(self, picture: Picture) -> None:
        from profiler.export.pprof_schema import profile_message  # protobuf takes longer to load than a small export

        self.picture = picture
        self.profile: Any = profile_message()()
        self._strings: dict[str, int] = {"": 0}
        self._functions: dict[tuple[str, str, str], int] = {}
        self._mappings: dict[str, int] = {}
        self._locations: dict[tuple[int, ...], int] = {}
        self._comments: list[str] = []
        # Readers take the first mapping for the main program.
        self._mapping(f"{picture.metadata.target.kind} {picture.metadata.target.name}".strip())

    def string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def add_samples(self) -> None:
        picture = self.picture
        threads, place = thread_index(picture)
        labels = [f"{picture.threads.get(pair) or 'thread'} {pair[0]}/{pair[1]}" for pair in threads]
        stacks = [self._stack(stack) for stack in picture.stacks]
        blocked, rows = _rows(picture, place)
        if not blocked:
            self._comments.append("samples carry no label for their block: too many differ")
        for (thread, block, stack), count, weight in rows:
            sample = self.profile.sample.add(location_id=stacks[stack], value=(count, weight))
            sample.label.add(key=self.string("thread"), str=self.string(labels[thread]))
            leaf = picture.frames[picture.stacks[stack][-1]].language if picture.stacks[stack] else "unknown"
            sample.label.add(key=self.string("lang"), str=self.string(leaf))
            if blocked and block >= 0:
                sample.label.add(key=self.string("block"), num=block, num_unit=self.string("index"))

    def add_header(self) -> None:
        picture, profile = self.picture, self.profile
        cpu = self.string("cpu" if picture.capture.clock == "cpu" else "off-cpu")
        profile.sample_type.add(type=self.string("samples"), unit=self.string("count"))
        profile.sample_type.add(type=cpu, unit=self.string("nanoseconds"))
        profile.default_sample_type = cpu
        profile.period_type.type = cpu
        profile.period_type.unit = self.string("nanoseconds")
        profile.period = round(1e9 / picture.capture.hz) if picture.capture.hz else 0
        profile.time_nanos = recorded_at_ns(picture)
        own = [block for block in picture.metadata.blocks if block.sampler == picture.capture.sampler]
        profile.duration_nanos = sum(block.end_ns - block.start_ns for block in own)
        profile.comment.extend(self.string(text) for text in (title(picture), *notes(picture), *self._comments))
        profile.string_table.extend(self._strings)

    def _stack(self, stack: tuple[int, ...]) -> list[int]:
        """Location ids, leaf first. An inlined frame shares the location of the frame it was inlined into."""
        groups: list[list[int]] = []
        for index in stack:
            if groups and self.picture.frames[index].inlined:
                groups[-1].insert(0, index)
            else:
                groups.append([index])
        return [self._location(tuple(group)) for group in reversed(groups)]

    def _location(self, group: tuple[int, ...]) -> int:
        if group not in self._locations:
            number = self._locations[group] = len(self._locations) + 1
            outer = self.picture.frames[group[-1]]
            location = self.profile.location.add(id=number, mapping_id=self._mapping(outer.module or outer.language))
            for index in group:
                frame = self.picture.frames[index]
                location.line.add(function_id=self._function(frame), line=frame.line)
        return self._locations[group]

    def _function(self, frame: Frame) -> int:
        if frame.function not in self._functions:
            number = self._functions[frame.function] = len(self._functions) + 1
            self.profile.function.add(
                id=number,
                name=self.string(frame.name),
                system_name=self.string(frame.detail or frame.name),
                filename=self.string(frame.file or frame.module),
            )
        return self._functions[frame.function]

    def _mapping(self, module: str) -> int:
        if module not in self._mappings:
            number = self._mappings[module] = len(self._mappings) + 1
            self.profile.mapping.add(
                id=number,
                filename=self.string(module),
                has_functions=True,
                has_filenames=True,
                has_line_numbers=True,
                has_inline_frames=True,
            )
        return self._mappings[module]


def _rows(picture: Picture, place: Int64) -> tuple[bool, list[tuple[tuple[int, int, int], int, int]]]:
    """(True if blocks are told apart, [((thread, block, stack), samples, nanoseconds)])."""
    samples = picture.samples
    for blocked in (True, False):
        blocks = samples.block if blocked else np.full(len(samples), -1, dtype=np.int64)
        keys = np.stack([place, blocks, samples.stack], axis=1)
        distinct, inverse = np.unique(keys, axis=0, return_inverse=True)
        if len(distinct) <= MAX_ROWS or not blocked:
            break
    inverse = inverse.reshape(-1)
    counts = np.bincount(inverse, minlength=len(distinct)).tolist()
    weights = sum_by(inverse, samples.weight_ns, len(distinct)).tolist()
    keys_as_tuples = [(int(thread), int(block), int(stack)) for thread, block, stack in distinct.tolist()]
    return blocked, list(zip(keys_as_tuples, counts, weights, strict=True))
