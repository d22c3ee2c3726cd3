"""A real process that burns a known amount of CPU time on command: in its main thread, a new thread, or a fork."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from profiler.model.profile import RawCapture

PROGRAM = """
import os, sys, threading, time

def burn_cpu(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(i * i for i in range(200))

def wait_idle():
    threading.Event().wait()

def in_thread(seconds):
    thread = threading.Thread(target=burn_cpu, args=(seconds,), name="burner")
    thread.start()
    number = thread.native_id
    thread.join()
    return number

def in_fork(seconds):
    pid = os.fork()
    if pid == 0:
        burn_cpu(seconds)
        os._exit(0)
    os.waitpid(pid, 0)
    return pid

idle = threading.Thread(target=wait_idle, name="idler", daemon=True)
idle.start()
print(os.getpid(), idle.native_id, flush=True)
for line in sys.stdin:
    where, seconds = line.split()
    number = os.getpid()
    if where == "main":
        burn_cpu(float(seconds))
    else:
        number = {"thread": in_thread, "fork": in_fork}[where](float(seconds))
    print(number, flush=True)
"""


class Busy:
    """The running process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process, self._in, self._out = process, process.stdin, process.stdout
        self.pid, self.idle_tid = map(int, self._out.readline().split())

    def burn(self, where: str, seconds: float) -> int:
        """Burn this much CPU time in `main`, `thread` or `fork`; the number of the thread that did."""
        self.begin(where, seconds)
        return self.wait()

    def begin(self, where: str, seconds: float) -> None:
        self._in.write(f"{where} {seconds}\n")
        self._in.flush()

    def wait(self) -> int:
        return int(self._out.readline())


@contextlib.contextmanager
def busy(*options: str) -> Iterator[Busy]:
    argv = [sys.executable, *options, "-c", PROGRAM]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Busy(process)
        finally:
            process.kill()
            Path(f"/tmp/perf-{process.pid}.map").unlink(missing_ok=True)  # left by `-X perf`


def seconds_by_thread(capture: RawCapture) -> dict[int, float]:
    """Sampled CPU seconds by thread number."""
    totals: dict[int, float] = {}
    for tid, weight in zip(capture.samples.tid.tolist(), capture.samples.weight_ns.tolist(), strict=True):
        totals[tid] = totals.get(tid, 0.0) + weight / 1e9
    return totals


def python_names(capture: RawCapture) -> set[str]:
    return {frame.name for frame in capture.frames if frame.kind == "python"}
