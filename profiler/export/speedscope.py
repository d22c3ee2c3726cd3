"""speedscope's own format: all threads first, one profile per thread, then a slice in the order of time.

Weights are nanoseconds; equal stacks are merged, heaviest first; frames are functions. speedscope takes a function's
colour from the rank of its file and name, so `file` begins with a number per language and each language gets a colour
range of its own. The rank is taken within each profile: functions that a profile lacks are added to it as samples of
10⁻⁹ ns, so that one function has one colour throughout the file.

The file stays below 10 MB whatever was recorded: every part has a budget, and stacks beyond it (the lightest) become
one frame, `(rare stacks)`, so that totals stay exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from profiler import __version__
from profiler.export.budget import Weighted, cut_to_budget, json_length
from profiler.model.frame import Frame, Language
from profiler.model.profile import Int64
from profiler.views.picture import Picture, sum_by
from profiler.views.threads import thread_index, thread_rows
from profiler.views.title import clock_unit, notes, title

SCHEMA = "https://www.speedscope.app/file-format-schema.json"

# The order of speedscope's hues, from red to violet.
LANGUAGE_ORDER = (
    Language.KERNEL,
    Language.UNKNOWN,
    Language.C,
    Language.RUST,
    Language.CPYTHON,
    Language.PYTHON,
)
RARE = "(rare stacks)"
COLOUR_WEIGHT = 1e-9
MAX_SLICE = 200_000

# Characters of JSON: 9.5 MB in all, less about 1 MB for 5,000 function names.
ALL_THREADS_BYTES = 3_500_000
THREADS_BYTES = 3_500_000
SLICE_BYTES = 1_000_000
COLOUR_BYTES = 500_000


class SpeedscopeExporter:
    name = "speedscope"
    suffix = ".speedscope.json"
    by_line = False

    def encode(self, picture: Picture) -> bytes:
        frames = [_frame(frame) for frame in picture.frames]
        profiles = [_all_threads(picture), *_each_thread(picture), *_slice(picture)]
        if any((len(frames),) in profile["samples"] for profile in profiles):
            frames.append({"name": RARE, "file": "9-other"})
        _even_colours(profiles, len(frames))
        return msgspec.json.encode(
            {
                "$schema": SCHEMA,
                "exporter": f"hotpath-profiler@{__version__}",
                "name": " · ".join((title(picture), *notes(picture))),
                "activeProfileIndex": 0,
                "shared": {"frames": frames},
                "profiles": profiles,
            }
        )


def _frame(frame: Frame) -> dict[str, str]:
    rank = LANGUAGE_ORDER.index(frame.language) + 1
    return {"name": frame.name, "file": f"{rank}-{frame.language.value}/{frame.module}"}


def _all_threads(picture: Picture) -> dict[str, Any]:
    rows = [
        Weighted(key=0, stack=stack, weight=weight)
        for stack, weight in zip(picture.stacks, picture.stack_weights().tolist(), strict=True)
    ]
    kept = cut_to_budget(rows, ALL_THREADS_BYTES, rare=len(picture.frames))
    # Short enough for speedscope's title bar; the whole of it is in the name of the file.
    time = f"{picture.basis.value(picture.total_ns):,.4g} {clock_unit(picture)}"
    folded = " · plumbing folded" if picture.choice.fold else ""
    distorted = f" · distorted: {picture.capture.distorted}" if picture.capture.distorted else ""
    return _sampled(f"all threads · {title(picture)} · {time}{folded}{distorted}", kept)


def _each_thread(picture: Picture) -> list[dict[str, Any]]:
    """One profile per thread, heaviest first; a single thread is the whole and needs none of its own."""
    threads, place = thread_index(picture)
    if len(threads) < 2:
        return []
    size = len(picture.stacks)
    weights = sum_by(place * size + picture.samples.stack, picture.samples.weight_ns, len(threads) * size)
    rows = [
        Weighted(key=int(entry) // size, stack=picture.stacks[int(entry) % size], weight=int(weights[entry]))
        for entry in np.flatnonzero(weights)
    ]
    kept = cut_to_budget(rows, THREADS_BYTES, rare=len(picture.frames))
    by_thread: dict[int, list[Weighted]] = {}
    for row in kept:
        by_thread.setdefault(row.key, []).append(row)
    number = {thread: index for index, thread in enumerate(threads)}
    whole = "the CPU" if picture.capture.clock == "cpu" else "the waiting"
    return [
        _sampled(f"{row.label} · {row.share:.1%} of {whole} · {title(picture)}", by_thread[number[row.pid, row.tid]])
        for row in thread_rows(picture)
        if number[row.pid, row.tid] in by_thread
    ]


def _slice(picture: Picture) -> list[dict[str, Any]]:
    """The first samples in the order of time, as many as the budget holds. The axis is CPU time, not wall time."""
    order = np.argsort(picture.samples.time_ns, kind="stable")[:MAX_SLICE]
    stacks: Int64 = picture.samples.stack[order]
    lengths = np.array([json_length(stack, 0) for stack in picture.stacks], dtype=np.int64) + 9
    count = int(np.searchsorted(np.cumsum(lengths[stacks]), SLICE_BYTES)) if len(order) else 0
    if count < 2:
        return []
    order = order[:count]
    times = picture.samples.time_ns[order]
    rows = [
        Weighted(key=0, stack=picture.stacks[stack], weight=weight)
        for stack, weight in zip(
            picture.samples.stack[order].tolist(), picture.samples.weight_ns[order].tolist(), strict=True
        )
    ]
    span = (int(times[-1]) - int(times[0])) / 1e9
    part = "all" if count == len(picture.samples) else f"the first {count:,} of {len(picture.samples):,}"
    return [_sampled(f"in the order of time · {part} samples, {span:.1f} s · {title(picture)}", rows)]


def _sampled(name: str, rows: Sequence[Weighted]) -> dict[str, Any]:
    return {
        "type": "sampled",
        "name": name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(row.weight for row in rows),
        "samples": [row.stack for row in rows],
        "weights": [row.weight for row in rows],
    }


def _even_colours(profiles: list[dict[str, Any]], frames: int) -> None:
    """Give every profile all frames, where that costs little: first, where their weight is not rounded away."""
    missing = [sorted(set(range(frames)).difference(*profile["samples"])) for profile in profiles]
    if sum(len(entry) for entry in missing) * 18 > COLOUR_BYTES:
        return
    for profile, absent in zip(profiles, missing, strict=True):
        if profile["samples"]:
            profile["samples"] = [*((index,) for index in absent), *profile["samples"]]
            profile["weights"] = [*(COLOUR_WEIGHT for _ in absent), *profile["weights"]]
            profile["endValue"] = float(sum(profile["weights"]))
