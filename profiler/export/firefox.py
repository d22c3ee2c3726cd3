"""Firefox Profiler's processed format, version 70: one thread per (pid, tid), a category per language, samples in time.

Tables are columns of equal length. Stacks, frames, functions and strings are shared by all threads; a stack names its
parent by the distance to it (0 is a root), and parents come first. Weights are milliseconds of CPU.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from profiler import __version__
from profiler.model.frame import Frame, Language
from profiler.model.profile import Int64
from profiler.views.picture import Picture
from profiler.views.threads import ThreadRow, thread_index, thread_rows
from profiler.views.title import notes, recorded_at_ns, title
from profiler.views.tree import ROOT, build_tree

PROCESSED_VERSION = 70
GECKO_VERSION = 36

# The first grey category is the default one; every category must have a subcategory.
CATEGORIES: tuple[tuple[Language, str], ...] = (
    (Language.UNKNOWN, "grey"),
    (Language.PYTHON, "blue"),
    (Language.CPYTHON, "lightblue"),
    (Language.RUST, "orange"),
    (Language.C, "yellow"),
    (Language.KERNEL, "red"),
)
LIBRARY = 1


class FirefoxExporter:
    name = "firefox"
    suffix = ".firefox.json"
    by_line = True

    def encode(self, picture: Picture) -> bytes:
        strings: dict[str, int] = {}
        tree = build_tree(picture)
        shared = _shared(picture, strings)
        # The root of the tree is no stack of its own, hence the - 1.
        nodes = range(1, len(tree))
        shared["stackTable"] = {
            "frame": [tree.frame[node] for node in nodes],
            "prefixOffset": [0 if tree.parent[node] == ROOT else node - tree.parent[node] for node in nodes],
            "length": len(nodes),
        }
        threads = _threads(picture, np.array(tree.ends, dtype=np.int64) - 1, strings)
        shared["stringArray"] = list(strings)
        return msgspec.json.encode({"meta": _meta(picture), "libs": [], "shared": shared, "threads": threads})


def _meta(picture: Picture) -> dict[str, Any]:
    capture = picture.capture
    entries = [
        {"label": f"note {number}", "format": "string", "value": note} for number, note in enumerate(notes(picture), 1)
    ]
    return {
        "interval": 1000 / capture.hz if capture.hz else 1,
        "startTime": recorded_at_ns(picture) / 1e6,
        "processType": 0,
        "product": title(picture),
        "stackwalk": 1,
        "version": GECKO_VERSION,
        "preprocessedProfileVersion": PROCESSED_VERSION,
        "platform": "Linux",
        "symbolicated": True,
        "sampleUnits": {"time": "ms", "eventDelay": "ms", "threadCPUDelta": "ns"},
        "importedFrom": f"hotpath-profiler {__version__}",
        "usesOnlyOneStackType": True,
        "sourceCodeIsNotOnSearchfox": True,
        "keepProfileThreadOrder": True,
        "categories": [
            {"name": language.value, "color": colour, "subcategories": ["Other"]} for language, colour in CATEGORIES
        ],
        "markerSchema": [],
        "extra": [{"label": "Capture", "entries": entries}],
    }


def _shared(picture: Picture, strings: dict[str, int]) -> dict[str, Any]:
    """The tables that all threads share, but the stacks and the strings."""
    functions: dict[tuple[str, str, str], int] = {}
    first: list[Frame] = []
    for frame in picture.frames:
        if functions.setdefault(frame.function, len(first)) == len(first):
            first.append(frame)
    modules = {module: number for number, module in enumerate(dict.fromkeys(frame.module for frame in first))}
    files = {file: number for number, file in enumerate(dict.fromkeys(frame.file for frame in first if frame.file))}
    return {
        "frameTable": _frame_table(picture, functions),
        "funcTable": _columns(
            len(first),
            name=[_intern(strings, frame.name) for frame in first],
            resource=[modules[frame.module] for frame in first],
            source=[files.get(frame.file) for frame in first],
            isJS=False,
            relevantForJS=False,
            lineNumber=None,
            columnNumber=None,
            originalLocation=None,
        ),
        "resourceTable": _columns(
            len(modules),
            name=[_intern(strings, module or "no module") for module in modules],
            host=None,
            type=LIBRARY,
        ),
        "sources": _columns(
            len(files),
            filename=[_intern(strings, file) for file in files],
            id=None,
            startLine=1,
            startColumn=1,
            sourceMapURL=None,
            content=None,
        ),
        "nativeSymbols": _columns(0, libIndex=0, address=0, name=0, functionSize=0),
        "sourceLocationTable": _columns(0, source=0, line=0, column=0),
    }


def _frame_table(picture: Picture, functions: dict[tuple[str, str, str], int]) -> dict[str, Any]:
    category = {language: number for number, (language, _) in enumerate(CATEGORIES)}
    frames = picture.frames
    return _columns(
        len(frames),
        func=[functions[frame.function] for frame in frames],
        category=[category[frame.language] for frame in frames],
        line=[frame.line or None for frame in frames],
        inlineDepth=[int(frame.inlined) for frame in frames],
        subcategory=0,
        address=-1,
        lib=-1,
        nativeSymbol=None,
        innerWindowID=0,
        column=None,
        originalLocation=None,
    )


def _threads(picture: Picture, node: Int64, strings: dict[str, int]) -> list[dict[str, Any]]:
    """One per (pid, tid), heaviest first; the first one carries the marks."""
    if not len(picture.samples):
        return []
    pairs, place = thread_index(picture)
    number = {pair: index for index, pair in enumerate(pairs)}
    zero = int(np.min(picture.samples.time_ns))
    threads: list[dict[str, Any]] = []
    for row in thread_rows(picture):
        rows = np.flatnonzero(place == number[row.pid, row.tid])
        rows = rows[np.argsort(picture.samples.time_ns[rows], kind="stable")]
        samples = _sample_table(picture, node, rows, zero)
        markers = _marks(None if threads else picture, zero, strings)
        threads.append({**_thread(picture, row, zero), "samples": samples, "markers": markers})
    return threads


def _thread(picture: Picture, row: ThreadRow, zero: int) -> dict[str, Any]:
    return {
        "name": row.name or f"thread {row.tid}",
        "processName": f"{picture.metadata.target.kind} {row.pid}",
        "processType": "default",
        "processStartupTime": 0,
        "processShutdownTime": None,
        "registerTime": 0,
        "unregisterTime": (int(np.max(picture.samples.time_ns)) - zero) / 1e6,
        "pausedRanges": [],
        "isMainThread": row.tid == row.pid,
        "pid": str(row.pid),
        "tid": row.tid,
    }


def _sample_table(picture: Picture, node: Int64, rows: Int64, zero: int) -> dict[str, Any]:
    """Samples of one thread in the order of time. `threadCPUDelta` is what the CPU graph is drawn from."""
    weights = picture.samples.weight_ns[rows]
    times = (picture.samples.time_ns[rows] - zero) / 1e6
    return {
        "stack": [index if index >= 0 else None for index in node[picture.samples.stack[rows]].tolist()],
        "timeDeltas": np.round(np.diff(times, prepend=0.0), 6).tolist(),
        "weight": (weights / 1e6).tolist(),
        "weightType": "tracing-ms",
        "threadCPUDelta": (weights if picture.capture.clock == "cpu" else np.zeros_like(weights)).tolist(),
        "length": len(rows),
    }


def _marks(picture: Picture | None, zero: int, strings: dict[str, int]) -> dict[str, Any]:
    """What happened to the target's processes (a worker that ended or started), as instants on the time axis."""
    blocks = picture.metadata.blocks if picture is not None else ()
    marks = [(mark, max(block.start_ns - zero, 0) / 1e6) for block in blocks for mark in block.marks]
    return _columns(
        len(marks),
        name=[_intern(strings, mark) for mark, _ in marks],
        startTime=[time for _, time in marks],
        data=None,
        endTime=None,
        phase=0,
        category=0,
    )


def _columns(length: int, **columns: Any) -> dict[str, Any]:
    """A table: lists as they are, everything else repeated down its column."""
    filled = {name: column if isinstance(column, list) else [column] * length for name, column in columns.items()}
    return {**filled, "length": length}


def _intern(strings: dict[str, int], text: str) -> int:
    return strings.setdefault(text, len(strings))
