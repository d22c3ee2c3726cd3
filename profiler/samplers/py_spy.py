"""py-spy: reads a Python process from outside, stopping it for every sample.

One py-spy for each window, because it can't be paused. Each sample stands for 1/rate seconds of a thread that py-spy
took to be running; a thread that waits is left out by py-spy's own guess, and how that adds up is shown by the
agreement with the measured CPU time.

Killed while it has the target stopped, it leaves the target running: the kernel detaches a tracer that dies.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from profiler.errors import SamplerError
from profiler.model.launch import Launch
from profiler.model.profile import RawCapture
from profiler.samplers.base import Missing, SamplerOptions, SamplerSession
from profiler.samplers.child import Child
from profiler.samplers.py_spy_data import Window, merge_windows

START_TIMEOUT_S = 60.0
READY = "Sampling process"
# A window in which native stacks failed more often than not is the last with native stacks.
TOO_MANY_ERRORS = 0.5
PERMIT = "run as root, or: sudo sysctl kernel.yama.ptrace_scope=0 (in a container: --cap-add SYS_PTRACE)"
_COUNTS = re.compile(r"Samples: (\d+) Errors: (\d+)")
_BEHIND = re.compile(r"([\d.]+)s behind in sampling")


class PySpySession:
    """One py-spy per window on the target's first process and all below it."""

    def __init__(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> None:
        self._pid = first_python(pids)
        self._options = options
        self._folder = folder
        self._native = True
        self._child: Child | None = None
        self._started_ns = 0
        self._windows: list[Window] = []
        self._cpu_s = 0.0
        self._warnings: dict[str, None] = {}

    @property
    def py_spy_pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    def on(self) -> None:
        try:
            self._start()
        except SamplerError as error:
            if not self._native:
                raise
            self._without_native(error.message)
            self._start()

    def _without_native(self, reason: str) -> None:
        self._native = False
        whole = "" if not self._windows else f" from window {len(self._windows) + 1} on"
        self._warnings[f"native stacks failed, Python frames only{whole}: {reason}"] = None

    def _start(self) -> None:
        number = len(self._windows)
        argv = [
            py_spy_program() or "py-spy", "record", "--subprocesses", "--threads", "--full-filenames",
            "--format", "raw",
            "--rate", f"{max(1, round(self._options.hz))}", "--output", str(self._raw_path(number)),
            "--pid", str(self._pid), *(["--native"] if self._native else []),
        ]  # fmt: skip
        log = self._folder / f"py-spy-{number}-{'native' if self._native else 'python'}.log"
        self._child = Child(argv, log, cpus=self._options.cpus)
        self._child.wait_for_output(READY, START_TIMEOUT_S)
        self._child.wait_until_it_catches(signal.SIGINT, START_TIMEOUT_S)
        self._started_ns = time.monotonic_ns()

    def off(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        ended_ns = time.monotonic_ns()
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
        samples, errors = int(counts[1]), int(counts[2])
        self._windows.append(
            Window(raw=path.read_text(), start_ns=self._started_ns, end_ns=ended_ns, samples=samples, errors=errors)
        )
        path.unlink()
        if self._native and errors > TOO_MANY_ERRORS * (samples + errors):
            self._without_native(f"{errors} of {samples + errors} samples could not be merged with them")

    def _raw_path(self, number: int) -> Path:
        return self._folder / f"window-{number}.raw"

    def finish(self) -> RawCapture:
        if self._child is not None:
            self._child.end(signal.SIGINT, timeout_s=5)
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
        return _refused()

    def wrap(self, launch: Launch, options: SamplerOptions, folder: Path) -> Launch:
        return launch

    def attach(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> SamplerSession:
        return PySpySession(pids, options, folder)


def py_spy_program() -> str | None:
    """The one beside this interpreter first: its version is pinned with the toolkit's."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.is_file() else shutil.which("py-spy")


def first_python(pids: Sequence[int]) -> int:
    """The first process that runs Python: py-spy goes down from there, and refuses to start at any other."""
    for pid in pids:
        try:
            if "python" in Path(f"/proc/{pid}/maps").read_text():
                return pid
        except OSError:
            continue
    return pids[0]


def _refused() -> Missing | None:
    """Really read a process, this one: Yama, capabilities and seccomp all end in the same refusal."""
    argv = [py_spy_program() or "py-spy", "dump", "--pid", str(os.getpid())]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    said = next((line.strip() for line in done.stderr.splitlines() if "ermi" in line), "")
    if done.returncode == 0 or not said:
        return None  # whatever else it says of this process says nothing of the target
    return Missing(reason=f"py-spy may not read other processes: {said.partition(':')[0]}", fix=PERMIT)


def py_spy_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("py-spy")
    except PackageNotFoundError:
        return ""
