"""CPU time of a target, against what its processes say of themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from target_helpers import eventually, started

from profiler.targets import CpuMeter, TargetSpec

# On each line burns so many milliseconds of CPU in so many threads that end, then says what it used altogether.
BURNER = """
import sys, threading, time
def burn(ms):
    end = time.thread_time_ns() + ms * 1_000_000
    while time.thread_time_ns() < end:
        pass
for line in sys.stdin:
    ms, count = map(int, line.split())
    threads = [threading.Thread(target=burn, args=(ms,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(time.process_time_ns(), flush=True)
"""
# Runs programs that live for some ms, then says what it and they have used, and waits.
STARTER = """
import pathlib, resource, subprocess, sys
pathlib.Path(sys.argv[1]).read_text()
for _ in range(20):
    subprocess.run([sys.executable, "-I", "-S", "-c", "sum(range(300_000))"])
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
pathlib.Path(sys.argv[2]).write_text(str(sum(u.ru_utime + u.ru_stime for u in used)))
pathlib.Path(sys.argv[1]).read_text()
"""


@contextmanager
def burner() -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", BURNER]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def burn(process: subprocess.Popen[str], ms: int, threads: int = 1) -> int:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{ms} {threads}\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def test_threads_that_have_ended_are_counted() -> None:
    with burner() as process:
        burn(process, 1)
        meter = CpuMeter(lambda: [process.pid])
        said_before, before = burn(process, 1), meter.read()
        said_after, after = burn(process, 40, threads=3), meter.read()
        assert after - before == pytest.approx(said_after - said_before, rel=0.01)
        assert after - before >= 120_000_000


def test_several_processes_are_summed_and_a_dead_one_stays_counted() -> None:
    with burner() as first, burner() as second:
        burn(first, 1), burn(second, 1)
        live = [first.pid, second.pid]
        meter = CpuMeter(lambda: live)
        begin = meter.read()
        used = burn(first, 30) + burn(second, 50)
        middle = meter.read()
        assert middle - begin > 80_000_000 and middle <= used + 10_000_000
        second.kill()
        second.wait()
        live.remove(second.pid)
        assert meter.read() >= middle
        assert meter.changes() == (f"worker {second.pid} exited",)
        assert meter.changes() == ()


def test_a_process_that_joins_is_counted_from_its_birth() -> None:
    with burner() as first, burner() as second:
        live = [first.pid]
        meter = CpuMeter(lambda: live)
        begin = meter.read()
        burn(second, 30)
        live.append(second.pid)
        assert meter.read() - begin >= 30_000_000
        assert meter.changes() == (f"worker {second.pid} started",)


def test_the_clock_of_a_busy_process_does_not_stand_still_between_ticks() -> None:
    """Readings a millisecond apart all differ; without settling, most of them would repeat the last tick's value."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            cpu = min(os.sched_getaffinity(0))
            os.sched_setaffinity(process.pid, (cpu,))
            meter = CpuMeter(lambda: [process.pid])

            def differ() -> bool:
                start = time.monotonic_ns() + 5_000_000
                return len({meter.read_at(start + number * 1_000_000) for number in range(40)}) >= 32

            eventually(differ, what="a stretch in which others leave the process its CPU")
        finally:
            process.kill()


def test_a_reading_waits_for_its_instant_and_leaves_the_thread_as_it_was() -> None:
    meter = CpuMeter(lambda: [os.getpid()])
    instant = time.monotonic_ns() + 20_000_000
    first = meter.read_at(instant)
    assert time.monotonic_ns() >= instant and meter.latest_ns > 0
    assert meter.read_at(instant) >= first, "an instant that has passed is read at once"
    assert os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER


def test_what_ends_between_two_readings_is_counted_by_the_group(tmp_path: Path) -> None:
    gate, result = tmp_path / "gate", tmp_path / "result"
    os.mkfifo(gate)
    os.mkfifo(result)
    command = (sys.executable, "-I", "-S", "-c", STARTER, str(gate), str(result))
    with started(TargetSpec(folder=tmp_path, command=command), tmp_path) as target:
        meter = CpuMeter(target.pids, target.cpu_group())
        before = meter.read()
        gate.write_text("go")
        used_ns = float(result.read_text()) * 1e9
        counted = meter.read() - before
        if target.cpu_group() is None:
            assert meter.source == "clocks of the processes" and counted < used_ns
        else:
            assert meter.source == "control group" and counted == pytest.approx(used_ns, rel=0.15)
        gate.write_text("end")
