"""Whoever is killed, and whenever: nothing of a target is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from target_helpers import all_gone, eventually, started

from profiler.model.load import Endpoint
from profiler.targets import TargetSpec
from profiler.targets.cpu_group import create_group
from profiler.targets.processes import children, descendants, parent_of

# A profiler in a process of its own: says its processes once they are there, then stays.
PROFILER = """
import sys
from pathlib import Path
from profiler.model.load import Endpoint
from profiler.targets import TargetSpec, start_target
kind, logs, wait = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "ready"
spec = TargetSpec(folder=logs, kind=kind, processes=2)
target = start_target(spec, wrap=lambda launch: launch, logs=logs)
if wait:
    target.wait_ready(Endpoint(path="/hello"), 60)
print(*target.pids(), flush=True)
sys.stdin.read()
"""
# Ignores the gentle signal, starts a child that leaves the session, and one that outlives its parent.
STUBBORN = "trap '' TERM; setsid sleep 600 & (sleep 600 &) ; sleep 600; sleep 600"
SERVERS = ("django-bolt", "uvicorn", "gunicorn", "robyn", "granian")


def profiler(kind: str, logs: Path, *, ready: bool = True) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", PROFILER, kind, str(logs), "ready" if ready else "at once"]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_profiler_that_is_killed_leaves_nothing(kind: str, tmp_path: Path) -> None:
    process = profiler(kind, tmp_path)
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()]
    everything = [*pids, *descendants(process.pid)]
    end(process)
    assert len(pids) >= 3
    eventually(lambda: all_gone(everything), what=f"the end of {everything}")


def test_a_profiler_that_is_killed_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    chance = random.Random(20261121)
    for number in range(6):
        logs = tmp_path / str(number)
        logs.mkdir()
        process = profiler(chance.choice(SERVERS), logs, ready=False)
        seen: set[int] = set()
        eventually(lambda p=process, s=seen: s.update(descendants(p.pid)) or s)  # the supervisor at least
        deadline = time.monotonic() + chance.uniform(0, 0.8)
        while time.monotonic() < deadline:
            seen.update(descendants(process.pid))
        end(process)
        eventually(lambda s=seen: all_gone(s), what="the end of everything that was seen")


@pytest.mark.parametrize("kind", SERVERS)
def test_a_supervisor_that_is_killed_takes_the_target_along(kind: str, tmp_path: Path) -> None:
    with started(TargetSpec(folder=tmp_path, kind=kind, processes=2), tmp_path) as target:
        target.wait_ready(Endpoint(path="/hello"), 60)
        pids = target.pids()
        os.kill(parent_of(pids[0]), signal.SIGKILL)
        eventually(lambda: all_gone(pids[:1]), what="the end of the first process")
        assert target.ended() == "its supervisor was killed"
    assert all_gone(pids)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_that_is_killed_leaves_no_workers(kind: str, tmp_path: Path) -> None:
    with started(TargetSpec(folder=tmp_path, kind=kind, processes=2), tmp_path) as target:
        target.wait_ready(Endpoint(path="/hello"), 60)
        pids = target.pids()
        os.kill(pids[0], signal.SIGKILL)
        eventually(lambda: target.ended() == "it was killed by SIGKILL")
    assert all_gone(pids)


@pytest.mark.parametrize("kind", SERVERS)
def test_profiler_and_supervisor_killed_at_once_leave_nothing(kind: str, tmp_path: Path) -> None:
    process = profiler(kind, tmp_path)
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()]
    everything = [*pids, *descendants(process.pid)]
    os.kill(parent_of(pids[0]), signal.SIGKILL)
    end(process)
    eventually(lambda: all_gone(everything), what=f"the end of {everything}")


def test_a_guard_that_is_killed_is_replaced_by_the_profiler(tmp_path: Path) -> None:
    with started(TargetSpec(folder=tmp_path, command=("sh", "-c", STUBBORN)), tmp_path) as target:
        eventually(lambda: len(target.pids()) == 4 and len({os.getsid(pid) for pid in target.pids()}) == 2)
        pids = target.pids()
        supervisor = parent_of(pids[0])
        guard = parent_of(supervisor)
        os.kill(guard, signal.SIGKILL)
        eventually(lambda: parent_of(supervisor) == os.getpid(), what="adoption by this process")
        assert target.pids() == pids
        os.kill(supervisor, signal.SIGKILL)
        eventually(lambda: parent_of(pids[0]) == os.getpid(), what="adoption by this process")
        assert set(target.pids()) == set(pids)
    assert all_gone([*pids, guard, supervisor])


def test_who_ignores_the_gentle_signal_is_killed(tmp_path: Path) -> None:
    with started(TargetSpec(folder=tmp_path, command=("sh", "-c", STUBBORN)), tmp_path) as target:
        eventually(lambda: len(target.pids()) == 4 and len({os.getsid(pid) for pid in target.pids()}) == 2)
        pids = target.pids()
    assert all_gone(pids)


def test_a_daemon_that_leaves_its_parent_is_followed_and_stopped(tmp_path: Path) -> None:
    spec = TargetSpec(folder=tmp_path, command=("sh", "-c", "setsid sh -c 'sleep 600 & sleep 600' & exit 0"))
    with started(spec, tmp_path) as target:
        eventually(lambda: target.ended() == "it ended with status 0" and len(target.pids()) == 3)
        pids = target.pids()
    assert all_gone(pids)


def test_stop_may_be_called_again(tmp_path: Path) -> None:
    with started(TargetSpec(folder=tmp_path, command=("sleep", "600")), tmp_path) as target:
        target.stop()
        assert target.pids() == () and target.ended() == "it was killed by SIGTERM"
    assert not [pid for pid in children(os.getpid()) if pid in target.pids()]


def test_groups_of_profilers_that_are_gone_are_removed(tmp_path: Path) -> None:
    group = create_group()
    if group is None:  # a machine where none can be made has none to leave
        return
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    stale = group.path.with_name(f"profiler-target-{gone.pid}-1")
    stale.mkdir()
    group.remove()
    second = create_group()
    assert second is not None and not stale.exists()
    second.remove()
    assert not second.path.exists()
