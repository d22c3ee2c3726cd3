"""Shared by all tests: proof that no test module leaves a process behind."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

# A runner started in the background ignores Ctrl-C, and what ignores a signal hands that down to all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Every process that a test starts inherits this variable, so that an orphan is found wherever it was reparented to.
MARKER = "PROFILER_TEST_SESSION"
os.environ[MARKER] = uuid.uuid4().hex


def _left_running(known: set[int]) -> list[psutil.Process]:
    marker = f"{MARKER}={os.environ[MARKER]}".encode()
    found = []
    for process in psutil.process_iter():
        if process.pid in known or process.pid == os.getpid():
            continue
        try:
            marked = marker in Path(f"/proc/{process.pid}/environ").read_bytes()
            # A zombie has no environment left: it counts when it is this process's own child.
            if marked or (process.ppid() == os.getpid() and process.status() == psutil.STATUS_ZOMBIE):
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


@pytest.fixture(scope="module", autouse=True)
def nothing_left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test module: every process its tests started has ended (and been waited for)."""
    before = {process.pid for process in _left_running(set())}
    yield
    deadline = time.monotonic() + 5
    while (left := _left_running(before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    described = []
    for process in left:
        try:
            described.append(f"{process.pid} {process.status()} {' '.join(process.cmdline())[:120]}")
            process.kill()
        except psutil.Error:
            continue
    assert not described, f"{request.node.name} left running: {described}"


@pytest.fixture
def stolen_s() -> Callable[[], float]:
    """Seconds that the hypervisor has taken from all CPUs since the test began, to the 10 ms of the kernel's count, and
    one such step more.

    A thread that is on a CPU while it is taken away uses no CPU time by its own clock, and waits for nothing: nobody
    can tell then to what the time belongs.
    """

    def read() -> float:
        return int(Path("/proc/stat").read_text().split("\n", 1)[0].split()[8]) / os.sysconf("SC_CLK_TCK")

    start = read()
    return lambda: read() - start + 0.01
