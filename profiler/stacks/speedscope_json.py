"""speedscope's file format: sampled and evented profiles over one table of frames."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec
import numpy as np

from profiler.errors import UsageError
from profiler.model.frame import Language
from profiler.model.profile import NO_BLOCK, RawCapture, RawFrame, Samples
from profiler.stacks.foreign import MOST_NS, nanoseconds
from profiler.stacks.pyspy_raw import parse_frame

# Nanoseconds in one unit; a profile without a unit counts samples or whatever its tool counted.
_UNITS: dict[str, float] = {
    "nanoseconds": 1.0,
    "microseconds": 1e3,
    "milliseconds": 1e6,
    "seconds": 1e9,
    "none": 1.0,
    "bytes": 1.0,
}


class _Frame(msgspec.Struct, frozen=True):
    name: str
    file: str | None = None
    line: float | None = None


class _Shared(msgspec.Struct, frozen=True):
    frames: list[_Frame]


class _Event(msgspec.Struct, frozen=True):
    type: Literal["O", "C"]
    at: float
    frame: int


class _Profile(msgspec.Struct, frozen=True):
    type: Literal["sampled", "evented"]
    name: str = ""
    unit: str = "none"
    samples: list[list[int]] = []
    weights: list[float] = []
    events: list[_Event] = []


class _File(msgspec.Struct, frozen=True):
    shared: _Shared
    profiles: list[_Profile]


def parse_speedscope(data: bytes) -> RawCapture:
    """A capture of all profiles in the file; each profile becomes a thread with its name.

    A profile of all threads followed by one for each thread counts everything twice: where the first profile's total
    is that of the next ones together, only those are taken. So it is with what this toolkit exports.

    Raises:
        UsageError: not speedscope's format, or it contradicts itself.
    """
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"not a speedscope file: {error}", hint="it must be JSON with `shared` and `profiles`"
        ) from error
    stacks: dict[tuple[int, ...], int] = {}
    rows: list[tuple[int, int, int, int]] = []
    threads: dict[tuple[int, int], str] = {}
    for number, (profile, weighted) in enumerate(_distinct(file), 1):
        threads[(0, number)] = profile.name
        scale = _UNITS.get(profile.unit, 1.0)
        for at, stack, weight in weighted:
            if length := nanoseconds(weight * scale, f"profile {profile.name!r}"):
                rows.append(
                    (
                        round(min(max(at * scale, 0.0), float(MOST_NS))),
                        number,
                        length,
                        stacks.setdefault(stack, len(stacks)),
                    )
                )
    if not rows:
        raise UsageError("there is no sample in this speedscope file")
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    samples = Samples(
        time_ns=table[:, 0], pid=np.zeros(len(rows), dtype=np.int64), tid=table[:, 1],
        block=np.full(len(rows), NO_BLOCK, dtype=np.int64), weight_ns=table[:, 2], stack=table[:, 3],
    )  # fmt: skip
    frames = tuple(_raw_frame(frame) for frame in file.shared.frames)
    return RawCapture(frames=frames, stacks=tuple(stacks), samples=samples, threads=threads)


# What this toolkit's own files say in `file`: rank of the colour, language, module.
_OWN_FILE = re.compile(rf"^\d-(?P<language>{'|'.join(Language)})/(?P<module>.*)$")

_Weighted = list[tuple[float, tuple[int, ...], float]]


def _distinct(file: _File) -> list[tuple[_Profile, _Weighted]]:
    count = len(file.shared.frames)
    read = [(profile, list(_weighted(profile, count))) for profile in file.profiles]
    totals = [sum(weight for _, _, weight in rows) * _UNITS.get(profile.unit, 1.0) for profile, rows in read]
    together = 0.0
    for number, total in enumerate(totals[1:], 1):
        together += total
        if abs(totals[0] - together) <= 1e-6 * max(totals[0], 1.0):
            return read[1 : number + 1]
    return read


def _weighted(profile: _Profile, frames: int) -> Iterator[tuple[float, tuple[int, ...], float]]:
    """(time, stack root first, weight) in the profile's unit."""
    if profile.type == "evented":
        yield from _from_events(profile, frames)
        return
    if len(profile.samples) != len(profile.weights):
        raise UsageError(f"speedscope profile {profile.name!r} has {len(profile.samples)} samples and "
                         f"{len(profile.weights)} weights")  # fmt: skip
    at = 0.0
    for stack, weight in zip(profile.samples, profile.weights, strict=True):
        _check(stack, frames, profile)
        yield at, tuple(stack), weight
        at += weight


def _from_events(profile: _Profile, frames: int) -> Iterator[tuple[float, tuple[int, ...], float]]:
    open_frames: list[int] = []
    last = 0.0
    for event in profile.events:
        _check([event.frame], frames, profile)
        if open_frames and event.at > last:
            yield last, tuple(open_frames), event.at - last
        last = event.at
        if event.type == "O":
            open_frames.append(event.frame)
        elif open_frames and open_frames[-1] == event.frame:
            open_frames.pop()
        else:
            raise UsageError(f"speedscope profile {profile.name!r} closes a frame that is not open")


def _check(stack: list[int], frames: int, profile: _Profile) -> None:
    if any(index < 0 or index >= frames for index in stack):
        raise UsageError(f"speedscope profile {profile.name!r} names a frame that is not there")


def _raw_frame(frame: _Frame) -> RawFrame:
    line = int(frame.line) if frame.line is not None and 0 <= frame.line < 1e9 else 0
    own = _OWN_FILE.match(frame.file or "")
    if own is not None:
        return _own_frame(frame.name, Language(own["language"]), own["module"])
    if frame.file and frame.file.endswith((".py", ".pyx")):
        return RawFrame(kind="python", name=frame.name, module=frame.file, file=frame.file, line=line)
    if frame.file:
        return RawFrame(kind="native", name=frame.name, module=frame.file, file=frame.file, line=line)
    return parse_frame(frame.name)


def _own_frame(name: str, language: Language, module: str) -> RawFrame:
    if language is Language.PYTHON:
        return RawFrame(kind="python", name=name, module=module, file=module)
    if language is Language.KERNEL:
        return RawFrame(kind="kernel", name=name, module="" if module == "[kernel]" else module)
    return RawFrame(kind="native", name=name, module=module, language=language)
