"""py-spy: reads a Python process from outside, stopping it for every sample.

One py-spy for each window, because it can't be paused. Its samples carry no time, so those of a window are placed in
the window's middle. Each stands for 1/rate seconds of a thread that py-spy took to be running; a thread that waits is
left out by py-spy's own guess, and how that adds up is shown by the agreement with the measured CPU time.

Killed while it has the target stopped, it leaves the target running: the kernel detaches a tracer that dies.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from profiler.errors import SamplerError
from profiler.model.launch import Launch
from profiler.model.profile import NO_BLOCK, RawCapture, RawFrame, Samples
from profiler.samplers.base import Missing, SamplerOptions, SamplerSession
from profiler.samplers.child import Child

START_TIMEOUT_S = 60.0
READY = "Sampling process"
_COUNTS = re.compile(r"Samples: (\d+) Errors: (\d+)")
_BEHIND = re.compile(r"([\d.]+)s behind in sampling")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one py-spy left."""

    raw: str
    middle_ns: int
    samples: int
    errors: int


class PySpySession:
    """One py-spy per window on the target's first process and all below it."""

    def __init__(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> None:
        self._pid = pids[0]
        self._options = options
        self._folder = folder
        self._native = True
        self._child: Child | None = None
        self._started_ns = 0
        self._windows: list[Window] = []
        self._cpu_s = 0.0
        self._warnings: dict[str, None] = {}

    def on(self) -> None:
        try:
            self._start()
        except SamplerError as error:
            if not self._native:
                raise
            self._native = False
            self._warnings[f"native stacks failed, Python frames only: {error.message}"] = None
            self._start()

    def _start(self) -> None:
        number = len(self._windows)
        argv = [
            py_spy_program() or "py-spy", "record", "--subprocesses", "--full-filenames", "--format", "raw",
            "--rate", f"{max(1, round(self._options.hz))}", "--output", str(self._raw_path(number)),
            "--pid", str(self._pid), *(["--native"] if self._native else []),
        ]  # fmt: skip
        log = self._folder / f"py-spy-{number}-{'native' if self._native else 'python'}.log"
        self._child = Child(argv, log, cpus=self._options.cpus)
        self._child.wait_for_output(READY, START_TIMEOUT_S)
        self._started_ns = time.monotonic_ns()

    def off(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        middle = (self._started_ns + time.monotonic_ns()) // 2
        self._cpu_s += child.cpu_seconds() or 0.0
        status = child.end(signal.SIGINT)
        output = child.output()
        counts = _COUNTS.search(output)
        path = self._raw_path(len(self._windows))
        if status or counts is None or not path.is_file():
            raise child.failure("failed while it sampled")
        behind = [float(match) for match in _BEHIND.findall(output)]
        if behind:
            self._warnings[f"fell up to {max(behind):.1f} s behind: this rate is more than it can do here"] = None
        window = Window(raw=path.read_text(), middle_ns=middle, samples=int(counts[1]), errors=int(counts[2]))
        self._windows.append(window)
        path.unlink()

    def _raw_path(self, number: int) -> Path:
        return self._folder / f"window-{number}.raw"

    def finish(self) -> RawCapture:
        if self._child is not None:
            self._child.kill()
            self._child = None
        samples = sum(window.samples for window in self._windows)
        errors = sum(window.errors for window in self._windows)
        capture = merge_windows(self._windows, 1e9 / max(1, round(self._options.hz)))
        return dataclasses.replace(
            capture,
            lost=errors,
            quality={"errors": errors / (samples + errors) if samples + errors else 0.0},
            warnings=tuple(self._warnings),
            version=py_spy_version(),
            sampler_cpu_s=self._cpu_s,
        )


class PySpy:
    """py-spy with native stacks, falling back to Python frames only."""

    name = "py-spy"
    default_hz = 100.0
    window_s = 2.5
    inside = False
    switchable = True
    distortion = ""

    def probe(self, options: SamplerOptions) -> Missing | None:
        if py_spy_program() is None:
            return Missing(reason="py-spy is not installed", fix=f"{sys.executable} -m pip install py-spy")
        return None

    def wrap(self, launch: Launch, options: SamplerOptions, folder: Path) -> Launch:
        return launch

    def attach(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> SamplerSession:
        return PySpySession(pids, options, folder)


def py_spy_program() -> str | None:
    """The one beside this interpreter first: its version is pinned with the toolkit's."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.is_file() else shutil.which("py-spy")


def py_spy_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("py-spy")
    except PackageNotFoundError:
        return ""


def merge_windows(windows: Sequence[Window], weight_ns: float) -> RawCapture:
    """All windows as one capture: a sample for each stack and window, weighted by how often it was seen."""
    from profiler.stacks.pyspy_raw import parse_pyspy_raw

    frames: dict[RawFrame, int] = {}
    stacks: dict[tuple[int, ...], int] = {}
    rows: list[tuple[int, int, int]] = []
    for window in windows:
        part = parse_pyspy_raw(window.raw)
        numbers = [frames.setdefault(frame, len(frames)) for frame in part.frames]
        for stack, count in zip(part.samples.stack.tolist(), part.samples.weight_ns.tolist(), strict=True):
            key = tuple(numbers[index] for index in part.stacks[stack])
            rows.append((window.middle_ns, stacks.setdefault(key, len(stacks)), round(count * weight_ns)))
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    zeros = np.zeros(len(rows), dtype=np.int64)
    samples = Samples(
        time_ns=table[:, 0], pid=zeros, tid=zeros, block=np.full(len(rows), NO_BLOCK, dtype=np.int64),
        weight_ns=table[:, 2], stack=table[:, 1],
    )  # fmt: skip
    return RawCapture(frames=tuple(frames), stacks=tuple(stacks), samples=samples)
