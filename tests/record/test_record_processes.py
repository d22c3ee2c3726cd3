"""Attaching, commands, and recordings without load."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BUSY = """
import sys
def spin_the_wheel():
    return sum(i * i for i in range(1000))
print("ready", flush=True)
while True:
    spin_the_wheel()
"""


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_a_running_process_is_profiled_without_load_and_left_alone(
    record_json: Callable[..., Any], busy: subprocess.Popen[str]
) -> None:
    report = record_json("--pid", str(busy.pid), "--load", "none", "--duration", "1", "--sampler", "perf")
    assert report["load"] is None
    assert report["cpu_us_per_request"] is None
    assert 0 < report["cpu_seconds_per_second"]["value"] <= 1.05
    assert report["languages"]["cpython"] > 0.5
    assert busy.poll() is None


def test_py_spy_names_the_python_functions_of_a_script(
    record_json: Callable[..., Any], busy: subprocess.Popen[str], profiler_command: Callable[..., Any], tmp_path: Path
) -> None:
    record_json("--pid", str(busy.pid), "--load", "none", "--duration", "1", "--sampler", "py-spy")
    folded = profiler_command("export", str(tmp_path / "run"), "--format", "folded")
    assert folded.returncode == 0
    assert "spin_the_wheel" in folded.stdout


def test_a_command_is_started_profiled_and_stopped(record_json: Callable[..., Any]) -> None:
    report = record_json("--load", "none", "--duration", "1", "--sampler", "perf", "--", sys.executable, "-c", BUSY)
    assert report["target"]["kind"] == "command"
    assert report["sampler"]["samples"] > 0


def test_a_command_that_serves_is_loaded(record_json: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("hello")
    server = ("--", sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "{port}")
    options = ("--endpoint", "/hello.txt", "--expect", "200:hello", "--duration", "1", "--connections", "4")
    report = record_json(*options, "--warmup", "0.5", "--sampler", "none", *server)
    assert report["load"]["requests"] > 0
    assert report["cpu_us_per_request"]["value"] > 0
