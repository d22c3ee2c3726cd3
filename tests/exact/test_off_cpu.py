"""Waits: each thread's waiting time is its wall time less its CPU time, with the cause in the stack."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sampled_stacks import interpreters

from profiler.errors import UsageError
from profiler.model.profile import RawCapture
from profiler.samplers.base import SamplerOptions
from profiler.samplers.exact_off_cpu import ExactOffCpu

TARGET = Path(__file__).with_name("waiting_target.py")
SECONDS = 1.5
HZ = 499.0
GIL = "[waiting for the GIL]"
# One wait under way when the window begins or ends may be cut by as much as switching takes.
EDGES_S = 0.06


class Thread(NamedTuple):
    job: str
    waited_s: float
    """Wall time less CPU time, by the thread's own clocks."""
    sampled_s: dict[tuple[str, ...], float]
    """Sampled waiting time by stack, root first."""

    def share_with(self, name: str) -> float:
        held = sum(seconds for names, seconds in self.sampled_s.items() if name in names)
        return held / sum(self.sampled_s.values())


@contextlib.contextmanager
def waiting(python: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([python, TARGET], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def clocks(process: subprocess.Popen[str]) -> dict[int, tuple[str, int, int]]:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return {tid: (name, wall, cpu) for tid, name, wall, cpu in json.loads(process.stdout.readline())}


def watch(python: Path, folder: Path) -> tuple[list[Thread], RawCapture]:
    with waiting(python) as process:
        assert process.stdout is not None
        session = ExactOffCpu().attach([int(process.stdout.readline())], SamplerOptions(hz=HZ), folder)
        try:
            session.on()
            before = clocks(process)
            time.sleep(SECONDS)
            after = clocks(process)
            session.off()
        finally:
            capture = session.finish()
    threads = []
    for tid, (name, wall, cpu) in after.items():
        rows = capture.samples.select(capture.samples.tid == tid)
        inside = rows.select((rows.time_ns >= before[tid][1]) & (rows.time_ns < wall))
        sampled: dict[tuple[str, ...], float] = {}
        for stack, weight in zip(inside.stack.tolist(), inside.weight_ns.tolist(), strict=True):
            names = tuple(capture.frames[index].name for index in capture.stacks[stack])
            sampled[names] = sampled.get(names, 0.0) + weight / 1e9
        waited = (wall - before[tid][1] - (cpu - before[tid][2])) / 1e9
        threads.append(Thread(name[name.index("(") + 1 : -1], waited, sampled))
    return threads, capture


@pytest.mark.parametrize("python", interpreters(), ids=lambda python: python.parts[-3])
def test_waiting_is_wall_less_cpu_and_says_for_what(
    python: Path, tmp_path: Path, stolen_s: Callable[[], float]
) -> None:
    threads, capture = watch(python, tmp_path)
    stolen = stolen_s()
    assert capture.clock == "wall" and capture.lost == 0
    assert len(threads) == 7
    for thread in threads:
        doubt = EDGES_S + 0.03 * thread.waited_s + stolen
        assert sum(thread.sampled_s.values()) == pytest.approx(thread.waited_s, abs=doubt)
        on_cpu_wait = thread.share_with("[waiting for a CPU]")
        assert thread.share_with(thread.job) > 0.97 - on_cpu_wait  # the Python function that waits
    by_job = {thread.job: thread for thread in threads}
    for job, call in (("wants_a_lock", "futex"), ("reads_a_pipe", "pipe_read"), ("is_idle", "epoll_wait")):
        leaves = {names[-1] for names in by_job[job].sampled_s}
        assert all(call in leaf for leaf in leaves), leaves
        assert by_job[job].share_with(GIL) == 0
    assert by_job["sleeps_on"].share_with(GIL) == 0
    # Two threads compute under one GIL: while one runs, the other waits for it.
    for thread in threads:
        if thread.job == "computes":
            assert thread.share_with(GIL) + thread.share_with("[waiting for a CPU]") > 0.95
            assert thread.share_with(GIL) > 0.3
    assert capture.quality["gil_waiting"] > 0.1
    assert capture.quality["unspliced"] == 0 and capture.quality["truncated"] < 0.02


def test_nothing_is_taken_between_windows(tmp_path: Path) -> None:
    with waiting(Path(sys.executable)) as process:
        assert process.stdout is not None
        session = ExactOffCpu().attach([int(process.stdout.readline())], SamplerOptions(hz=HZ), tmp_path)
        spans = []
        for _ in range(2):
            started = time.monotonic_ns()
            session.on()
            time.sleep(0.2)
            session.off()
            spans.append((started, time.monotonic_ns()))
            time.sleep(0.2)
        capture = session.finish()
    times = capture.samples.time_ns.tolist()
    assert all(any(start <= at <= end for start, end in spans) for at in times)
    assert all(sum(start <= at <= end for at in times) > 100 for start, end in spans)


def test_absurd_rates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rate of 0"):
        ExactOffCpu().attach([1], SamplerOptions(hz=0), tmp_path)
