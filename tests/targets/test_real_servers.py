"""Each kind of server, really started: ready by its answer, known to its last thread, and gone after the stop."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from target_helpers import all_gone, eventually, started

from hotpaths import contract
from profiler.errors import TargetError
from profiler.model.launch import Launch
from profiler.model.load import Endpoint
from profiler.targets import CpuMeter, RunningTarget, TargetSpec, start_target
from profiler.targets.ports import listeners
from profiler.targets.readiness import ask

HELLO = Endpoint(path="/hello", expect_body=contract.HELLO["message"])
SECRET = "never-to-be-shown"
SERVERS = ("django-bolt", "uvicorn", "gunicorn", "robyn", "granian")


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTarget]:
    """One server of each kind with two processes, ready."""
    folder = tmp_path_factory.mktemp(request.param)
    os.environ["SOME_TOKEN"] = SECRET
    spec = TargetSpec(folder=folder, kind=request.param, processes=2, cpus=(min(os.sched_getaffinity(0)),))
    with started(spec, folder) as target:
        target.wait_ready(HELLO, 30)
        del os.environ["SOME_TOKEN"]
        yield target
        pids = target.pids()
        target.stop()
        assert all_gone(pids) and target.pids() == ()


def test_ready_gives_the_length_of_the_body(server: RunningTarget) -> None:
    assert server.url is not None
    assert server.wait_ready(HELLO, 30) == len(ask(server.url, HELLO).body) > 0


def test_every_process_is_known(server: RunningTarget) -> None:
    pids = server.pids()
    assert len(pids) >= 3 and server.ended() is None
    assert len(listeners(int(server.url.rpartition(":")[2]), pids)) >= 2
    assert {os.getsid(pid) for pid in pids} == {pids[0]}, "a session of its own"


def test_it_runs_on_its_cpus_only(server: RunningTarget) -> None:
    first = {min(os.sched_getaffinity(0))}
    for pid in server.pids():
        for thread in Path(f"/proc/{pid}/task").iterdir():
            assert os.sched_getaffinity(int(thread.name)) <= first


def test_its_description_is_whole(server: RunningTarget) -> None:
    info = server.info()
    assert info.bundled and info.url == server.url and info.python.startswith("CPython 3.")
    assert info.packages[info.kind] and info.cpus == (min(os.sched_getaffinity(0)),)
    assert {process.pid for process in info.processes} == set(server.pids())
    for process in info.processes:
        assert sum(process.threads.values()) >= 1
    assert info.command[0].endswith("python")
    assert SECRET not in msgspec.json.encode(info).decode(), "nothing of the environment"


def test_access_logging_is_left_as_it_is_and_known(server: RunningTarget) -> None:
    info = server.info()
    expected = {"django-bolt": r"unknown|on \(records", "uvicorn": r"on \(INFO\)"}.get(info.kind, "off")
    assert re.match(expected, info.access_log)


def test_cpu_time_grows_with_requests(server: RunningTarget) -> None:
    meter = CpuMeter(server.pids, server.cpu_group())
    before = meter.read()
    for _ in range(20):
        server.wait_ready(HELLO, 30)
    assert meter.read() > before
    assert meter.changes() == ()


def test_a_wrong_path_is_named_with_what_came(server: RunningTarget) -> None:
    with pytest.raises(TargetError, match=r"GET /nowhere answered 404, expected 200"):
        server.wait_ready(Endpoint(path="/nowhere"), 30)


def test_a_wrong_body_is_named_with_what_came(server: RunningTarget) -> None:
    with pytest.raises(TargetError, match=r"answered without the expected 'goodbye'; the body begins '.*Hello"):
        server.wait_ready(Endpoint(path="/hello", expect_body="goodbye"), 30)


def test_a_worker_that_is_replaced_is_noticed(tmp_path: Path) -> None:
    with started(TargetSpec(folder=tmp_path, kind="gunicorn", processes=2), tmp_path) as target:
        target.wait_ready(HELLO, 30)
        meter = CpuMeter(target.pids, target.cpu_group())
        before = meter.read()
        master, victim, other = target.pids()
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(target.pids()) == 3 and victim not in target.pids(), what="a new worker")
        (born,) = set(target.pids()) - {master, other}
        assert meter.read() > before
        assert set(meter.changes()) == {f"worker {victim} exited", f"worker {born} started"}


def test_the_workers_that_run_are_compared_with_those_asked_for(tmp_path: Path) -> None:
    asked = TargetSpec(folder=tmp_path, kind="django-bolt", processes=2, workers=3)
    with started(asked, tmp_path) as target:
        target.wait_ready(HELLO, 30)
        assert len(target.info().notes) == 1, "that it is the bundled one, and nothing else"

    def one_worker(launch: Launch) -> Launch:
        return msgspec.structs.replace(launch, argv=(*launch.argv, "--workers", "1"))

    with started(asked, tmp_path, one_worker) as target:
        target.wait_ready(HELLO, 30)
        assert target.info().notes[1] == "asked for 2 processes with 3 workers each, running: 1 + 1 workers"


@pytest.mark.parametrize("kind", SERVERS)
def test_one_process_starts_and_stops(kind: str, tmp_path: Path) -> None:
    target = start_target(TargetSpec(folder=tmp_path, kind=kind), wrap=lambda launch: launch, logs=tmp_path)
    try:
        target.wait_ready(HELLO, 30)
        pids = target.pids()
    finally:
        target.stop()
    assert pids and all_gone(pids) and target.ended() is not None
    assert (tmp_path / "target.log").stat().st_size > 0


def test_bolts_access_log_is_seen(tmp_path: Path) -> None:
    with started(TargetSpec(folder=tmp_path, kind="django-bolt"), tmp_path) as target:
        target.wait_ready(HELLO, 30)
        log = tmp_path / "target.log"
        while "/hello" not in log.read_text():
            target.wait_ready(HELLO, 30)
        assert target.info().access_log == "on (INFO)"


def test_bolts_access_log_is_seen_to_be_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTPATHS_LOG_LEVEL", "WARNING")
    with started(TargetSpec(folder=tmp_path, kind="django-bolt"), tmp_path) as target:
        target.wait_ready(HELLO, 30)
        assert target.info().access_log == "off"
