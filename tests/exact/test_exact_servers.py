"""Real servers under load: every stack is whole, and sampling disturbs nobody."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from sampled_stacks import sample

from profiler.model.launch import Launch
from profiler.model.load import Endpoint
from profiler.samplers.base import SamplerOptions
from profiler.samplers.exact import Exact
from profiler.targets import RunningTarget, TargetSpec, start_target

APPS = Path(__file__).resolve().parents[2] / "hotpaths" / "apps"
SERVERS = [
    ("django-bolt", "bolt", None, 1),
    ("robyn", "robyn", None, 1),
    ("granian", "fastapi", "main:app", 1),
    ("uvicorn", "fastapi", "main:app", 1),
    ("gunicorn", "django", "wsgi:application", 2),
]


def unchanged(launch: Launch) -> Launch:
    return launch


def start(kind: str, folder: str, app: str | None, processes: int, logs: Path) -> RunningTarget:
    spec = TargetSpec(folder=APPS / folder, kind=kind, app=app, processes=processes)
    return start_target(spec, wrap=unchanged, logs=logs)


def load(url: str | None, seconds: int) -> subprocess.Popen[str]:
    argv = ["wrk", "--threads", "1", "--connections", "16", "--duration", f"{seconds}s", f"{url}/hello"]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def assert_served(wrk: subprocess.Popen[str]) -> None:
    said, _ = wrk.communicate(timeout=60)
    assert wrk.returncode == 0
    requests = re.search(r"(\d+) requests in", said)
    assert requests is not None and int(requests[1]) > 100
    assert "Non-2xx" not in said and "Socket errors" not in said, said


@pytest.mark.parametrize(("kind", "folder", "app", "processes"), SERVERS, ids=[server[0] for server in SERVERS])
def test_stacks_are_whole(kind: str, folder: str, app: str | None, processes: int, tmp_path: Path) -> None:
    target = start(kind, folder, app, processes, tmp_path)
    try:
        target.wait_ready(Endpoint(path="/hello"), 60)
        wrk = load(target.url, 4)
        capture = sample(target.pids(), tmp_path, hz=499, seconds=2)
        assert_served(wrk)
    finally:
        target.stop()
    assert len(capture.samples) > 50
    assert capture.lost == 0
    quality = capture.quality
    assert quality["exact"] + quality["prologue"] + quality["native_only"] > 0.99, quality
    assert quality["root_reached"] > 0.97, quality
    kinds = ["".join(capture.frames[index].kind[0] for index in stack) for stack in capture.stacks]
    assert any("np" in stack and "pn" in stack for stack in kinds), "native code calls Python, which calls native code"
    assert any("nk" in stack for stack in kinds), "native code calls the kernel"


def test_fifty_attaches_under_load_disturb_nobody(tmp_path: Path) -> None:
    target = start("django-bolt", "bolt", None, 1, tmp_path)
    try:
        target.wait_ready(Endpoint(path="/hello"), 60)
        wrk = load(target.url, 120)
        before = target.pids()
        sampled = 0
        for _ in range(50):
            session = Exact().attach(target.pids(), SamplerOptions(hz=999), tmp_path)
            session.on()
            time.sleep(0.02)
            session.off()
            sampled += len(session.finish().samples)
        wrk.send_signal(signal.SIGINT)  # wrk then says what it has counted
        assert_served(wrk)
        assert target.pids() == before
    finally:
        target.stop()
    assert sampled > 50
