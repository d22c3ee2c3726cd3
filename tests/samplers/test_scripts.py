"""The scripts that a person runs alone, on a real process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
NAMES = ("oncpu-flamegraph", "offcpu", "perf-stat", "syscalls")
PROGRAM = """
import os, time
print("ready", flush=True)
while True:
    os.stat("/")
    time.sleep(0.002)
    sum(range(50_000))
"""


@pytest.fixture(scope="module")
def pid() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield str(process.pid)
        process.kill()


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [SCRIPTS / name, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)


@pytest.mark.parametrize("name", NAMES)
def test_help_and_a_wrong_process(name: str) -> None:
    shown = run(name, "--help")
    assert shown.returncode == 0 and f"scripts/{name} PID" in shown.stdout
    wrong = run(name, "4194303")
    assert wrong.returncode == 2 and "there is no process 4194303" in wrong.stderr


def test_oncpu_draws_a_flamegraph(pid: str, tmp_path: Path) -> None:
    output = tmp_path / "picture.svg"
    done = run("oncpu-flamegraph", pid, "-d", "1", "-o", str(output))
    assert (done.returncode, done.stdout) == (0, f"{output}\n"), done.stderr
    assert "_PyEval_EvalFrameDefault" in output.read_text()


def test_offcpu_charges_waiting_to_the_sleep(pid: str) -> None:
    done = run("offcpu", pid, "-d", "1")
    assert done.returncode == 0, done.stderr
    weights = {stack: int(weight) for stack, _, weight in (line.rpartition(" ") for line in done.stdout.splitlines())}
    sleeping = sum(weight for stack, weight in weights.items() if "nanosleep" in stack and "[waiting]" in stack)
    assert 0.5 * sum(weights.values()) < sleeping < 1.5e6


def test_perf_stat_counts_switches(pid: str) -> None:
    done = run("perf-stat", pid, "0.5")
    assert done.returncode == 0 and "context-switches" in done.stderr


def test_syscalls_are_counted_by_name(pid: str) -> None:
    done = run("syscalls", pid, "0.5")
    assert done.returncode == 0 and "clock_nanosleep" in done.stdout, done.stderr
