"""kill -9 of any process of a recording at any moment: nothing is left running, no run is half-written."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from recording import PROFILER

ROUNDS = 20


def choose_victim(profiler: psutil.Process, dice: random.Random) -> psutil.Process:
    """The profiler itself or any process below it: supervisor, server, generator, sampler."""
    try:
        family = [profiler, *profiler.children(recursive=True)]
    except psutil.Error:
        return profiler
    return dice.choice(family)


def left_running(marker: bytes) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if marker in Path(f"/proc/{process.pid}/environ").read_bytes():
                found.append(f"{process.pid} {' '.join(process.cmdline())[:100]}")
        except (OSError, psutil.Error):
            continue
    return found


@pytest.mark.parametrize("number", range(ROUNDS))
def test_kill_nine_at_a_random_moment(number: int, tmp_path: Path) -> None:
    dice = random.Random(number)
    marker = f"PROFILER_KILL_TEST={number}-{os.getpid()}"
    name, _, value = marker.partition("=")
    options = ("--endpoint", "/hello", "--duration", "1", "--warmup", "0.5", "--connections", "8", "--sampler", "perf")
    with subprocess.Popen(
        [*PROFILER, "record", *options, "--processes", str(dice.choice([1, 2])), "-o", "run"],
        cwd=tmp_path, env={**os.environ, name: value}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        profiler = psutil.Process(process.pid)
        # The moment is what is random here: a sleep is the subject of this test, not a way to wait for something.
        time.sleep(dice.uniform(0.05, 6.0))
        victim = choose_victim(profiler, dice)
        with contextlib.suppress(psutil.Error):
            victim.kill()
        process.wait(timeout=60)
    deadline = time.monotonic() + 15
    while (left := left_running(marker.encode())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
    run = tmp_path / "run"
    if run.exists():
        assert json.loads((run / "run.json").read_text())["state"] in ("sealed", "partial")
