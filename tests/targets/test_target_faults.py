"""What goes wrong at a start is one clear error, and nothing is left."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from target_helpers import WSGI_APP, all_gone, eventually, started, unchanged, write

from profiler.errors import TargetError, UsageError
from profiler.model.launch import Launch
from profiler.model.load import Endpoint
from profiler.targets import TargetSpec, start_target
from profiler.targets.ports import free_port, listeners
from profiler.targets.processes import is_zombie

HELLO = Endpoint(path="/hello")
SLOW_APP = "import time\ndef app(environ, start_response): time.sleep(600)\n"
ECHO = """
import http.server, sys
handler = http.server.SimpleHTTPRequestHandler
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler).serve_forever()
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen(["sleep", "600"])
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
child.wait()
"""


def failure(spec: TargetSpec, logs: Path, timeout_s: float = 20.0) -> TargetError:
    """The error of a start or of the wait for the answer; nothing of the target is left after it."""
    with pytest.raises(TargetError) as caught, started(spec, logs) as target:
        target.wait_ready(HELLO, timeout_s)
    return caught.value


@contextmanager
def listening(port: int = 0) -> Iterator[int]:
    """Somebody else's socket."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield taken.getsockname()[1]


def test_an_application_that_fails_at_import_shows_its_last_lines(tmp_path: Path) -> None:
    write(tmp_path, main="from fastapi import FastAPI\napp = FastAPI()\nraise RuntimeError('no database here')\n")
    error = failure(TargetSpec(folder=tmp_path), tmp_path)
    assert re.search(r"stopped before it answered: it ended with status 1", error.message)
    assert "no database here" in error.message and error.hint and "uvicorn main:app" in error.hint


def test_workers_that_fail_at_import_end_the_wait(tmp_path: Path) -> None:
    write(tmp_path, main="from missing_module import app\n")
    error = failure(TargetSpec(folder=tmp_path, kind="gunicorn", app="main:app", processes=2), tmp_path)
    assert "missing_module" in error.message


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    write(tmp_path, main=SLOW_APP)
    error = failure(TargetSpec(folder=tmp_path, kind="gunicorn", app="main:app"), tmp_path, timeout_s=1.5)
    assert "gave no right answer within 1.5 s: connected, and no answer came" in error.message


def test_a_command_that_does_not_listen_is_given_up(tmp_path: Path) -> None:
    spec = TargetSpec(folder=tmp_path, command=("sleep", "600"), url="http://127.0.0.1:{port}")
    assert "nothing listens there" in failure(spec, tmp_path, timeout_s=0.5).message


def test_a_command_that_ends_is_told_from_a_server(tmp_path: Path) -> None:
    spec = TargetSpec(folder=tmp_path, command=("sh", "-c", "echo wrong option --x >&2; exit 64; : {port}"))
    error = failure(spec, tmp_path)
    assert "it ended with status 64" in error.message and "wrong option --x" in error.message


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no program no-such-program"):
        start_target(TargetSpec(folder=tmp_path, command=("no-such-program",)), wrap=unchanged, logs=tmp_path)


def test_a_program_that_can_not_be_run(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF not really")
    program.chmod(0o755)
    with pytest.raises(TargetError, match=r"can't start .*program: Exec format error"):
        start_target(TargetSpec(folder=tmp_path, command=(str(program),)), wrap=unchanged, logs=tmp_path)


def test_an_interpreter_without_the_server(tmp_path: Path) -> None:
    write(tmp_path, main=WSGI_APP)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / ".venv")], check=True)
    with pytest.raises(TargetError, match="has no package gunicorn") as caught:
        start_target(TargetSpec(folder=tmp_path), wrap=unchanged, logs=tmp_path)
    assert caught.value.hint and "-m pip install gunicorn" in caught.value.hint


def test_a_port_that_the_user_chose_and_somebody_has(tmp_path: Path) -> None:
    with listening() as port, pytest.raises(TargetError, match=f"port {port} is taken by process {os.getpid()}"):
        start_target(TargetSpec(folder=tmp_path, port=port), wrap=unchanged, logs=tmp_path)


@pytest.mark.parametrize("kind", ["django-bolt", "uvicorn", "gunicorn", "robyn", "granian"])
def test_somebody_who_takes_the_port_first_does_no_harm(kind: str, tmp_path: Path) -> None:
    with socket.socket() as thief:
        launches: list[Launch] = []

        def steal(launch: Launch) -> Launch:
            if not launches:
                text = " ".join((*launch.argv, launch.env.get("ROBYN_PORT", "")))
                thief.bind(("127.0.0.1", int(re.findall(r"\b(\d{5}|\d{4})\b", text)[-1])))
                thief.listen()
            launches.append(launch)
            return launch

        with started(TargetSpec(folder=tmp_path, kind=kind), tmp_path, steal) as target:
            target.wait_ready(HELLO, 30)
            assert target.url is not None and str(thief.getsockname()[1]) not in target.url
        assert len(launches) == 2


def test_another_servers_answer_is_not_taken_for_the_targets(tmp_path: Path) -> None:
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", ECHO, str(port)], stderr=subprocess.DEVNULL) as other:
        try:
            spec = TargetSpec(folder=tmp_path, command=("sleep", "600"), url=f"http://127.0.0.1:{port}")
            with (
                pytest.raises(TargetError, match=f"was answered by process {other.pid} ") as caught,
                started(spec, tmp_path) as target,
            ):
                target.wait_ready(Endpoint(path="/"), 20)
            assert caught.value.hint and "--pid" in caught.value.hint
        finally:
            other.terminate()


def test_a_command_serves_on_the_port_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("hello")
    with started(TargetSpec(folder=tmp_path, command=(sys.executable, "-c", ECHO, "{port}")), tmp_path) as target:
        assert target.wait_ready(HELLO, 20) == 5
        assert target.info().kind == "command" and target.info().python.startswith("CPython")
        assert "/hello" in (tmp_path / "target.log").read_text() and target.info().access_log.startswith("on")


def test_a_url_that_is_none(tmp_path: Path) -> None:
    spec = TargetSpec(folder=tmp_path, command=("sleep", "600"), url="localhost")
    with pytest.raises(UsageError, match="not a URL"), started(spec, tmp_path) as target:
        target.wait_ready(HELLO, 20)


class TestAttach:
    def test_a_process_is_followed_and_left_alone(self, tmp_path: Path) -> None:
        with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin and process.stdout
            child = int(process.stdout.readline())
            before = os.sched_getaffinity(process.pid)
            with started(TargetSpec(folder=tmp_path, pid=process.pid, cpus=(0,)), tmp_path) as target:
                assert target.wait_ready(None, 5) == 0
                assert target.pids() == (process.pid, child)
                assert target.info().python.startswith("Python 3.")
            assert process.poll() is None and not all_gone([child])
            assert os.sched_getaffinity(process.pid) == before
            process.stdin.close()
            process.wait(10)
            assert target.ended() == f"process {process.pid} has ended" and target.pids() == ()

    def test_a_server_is_found_by_its_url(self, tmp_path: Path) -> None:
        port = free_port()
        (tmp_path / "hello").write_text("hello")
        with subprocess.Popen(
            [sys.executable, "-c", ECHO, str(port)], cwd=tmp_path, stderr=subprocess.DEVNULL
        ) as server:
            try:
                eventually(lambda: listeners(port, [server.pid]))
                with started(TargetSpec(folder=tmp_path, url=f"http://127.0.0.1:{port}"), tmp_path) as target:
                    assert target.wait_ready(HELLO, 10) == 5 and target.pids() == (server.pid,)
            finally:
                server.terminate()

    def test_no_such_process(self, tmp_path: Path) -> None:
        with subprocess.Popen(["true"]) as gone:
            gone.wait()
        with pytest.raises(TargetError, match=f"there is no process {gone.pid}"):
            start_target(TargetSpec(folder=tmp_path, pid=gone.pid), wrap=unchanged, logs=tmp_path)

    def test_a_zombie(self, tmp_path: Path) -> None:
        with subprocess.Popen(["true"]) as zombie:
            eventually(lambda: is_zombie(zombie.pid))
            with pytest.raises(TargetError, match="only waits to be collected"):
                start_target(TargetSpec(folder=tmp_path, pid=zombie.pid), wrap=unchanged, logs=tmp_path)

    def test_the_profiler_itself(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="the profiler itself"):
            start_target(TargetSpec(folder=tmp_path, pid=os.getpid()), wrap=unchanged, logs=tmp_path)

    def test_somebody_elses_process(self, tmp_path: Path) -> None:
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(TargetError, match=r"process 1 belongs to another user \(uid 0\)"):
                start_target(TargetSpec(folder=tmp_path, pid=1), wrap=unchanged, logs=tmp_path)
        finally:
            os.seteuid(user)

    def test_nobody_at_the_url(self, tmp_path: Path) -> None:
        url = f"http://127.0.0.1:{free_port()}"
        with pytest.raises(TargetError, match=f"listens at {url}"):
            start_target(TargetSpec(folder=tmp_path, url=url), wrap=unchanged, logs=tmp_path)
