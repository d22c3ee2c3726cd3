"""Every bundled application gives the answers of the contract, to the byte, on real servers."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hotpaths import contract

APPS = Path(__file__).parents[2] / "hotpaths" / "apps"
BIN = Path(sys.executable).parent
PATHS = (
    "/hello",
    "/json/21",
    "/json/1000",
    "/json/100000",
    "/bytes/1",
    "/bytes/27",
    "/bytes/1048576",
    "/await",
    "/orm",
)
REFUSED = ("/", "/json/20", "/json/1048577", "/bytes/0", "/bytes/1048577")


@dataclass(frozen=True)
class Serving:
    """A way to serve one of the applications; `{port}` stands for the port."""

    name: str
    folder: str
    """Where it is started, relative to the applications."""
    argv: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


PYTHON = str(BIN / "python")
SERVINGS = (
    Serving("django-bolt", "bolt", (PYTHON, "manage.py", "runbolt", "--host", "127.0.0.1", "--port", "{port}")),
    Serving(
        "django-bolt-from-elsewhere",
        "..",
        (
            PYTHON,
            str(APPS / "bolt/manage.py"),
            "runbolt",
            "--host",
            "127.0.0.1",
            "--port",
            "{port}",
            "--processes",
            "2",
        ),
    ),
    Serving("fastapi-uvicorn", "fastapi", (PYTHON, "-m", "uvicorn", "main:app", "--port", "{port}")),
    Serving(
        "fastapi-granian",
        "fastapi",
        (PYTHON, "-m", "granian", "--interface", "asgi", "--port", "{port}", "--no-ws", "main:app"),
    ),
    Serving("robyn", "robyn", (PYTHON, "app.py", "--processes", "1", "--workers", "1")),
    Serving("django-wsgi-gunicorn", "django", (PYTHON, "-m", "gunicorn", "-b", "127.0.0.1:{port}", "wsgi:application")),
    Serving("django-asgi-uvicorn", "django", (PYTHON, "-m", "uvicorn", "asgi:application", "--port", "{port}")),
    Serving(
        "django-asgi-granian",
        "django",
        (PYTHON, "-m", "granian", "--interface", "asgi", "--port", "{port}", "--no-ws", "asgi:application"),
    ),
)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_listener(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing listens: {log.read_text()}")


@pytest.fixture(scope="module", params=SERVINGS, ids=str)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a running application, whose table is not there yet."""
    serving: Serving = request.param
    place = tmp_path_factory.mktemp(serving.name)
    port = _free_port()
    environment = {**os.environ, "XDG_CACHE_HOME": str(place), "ROBYN_PORT": str(port)}
    argv = [word.format(port=port) for word in serving.argv]
    log = place / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            argv, cwd=APPS / serving.folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _await_listener(port, server, log)
        yield port
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    assert list(place.glob("hotpath-profiler/users-*.sqlite3")), "the table was not made where it belongs"


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, str, bytes]:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    return response.status, (response.getheader("content-type") or "").split(";")[0], body


def test_answers_are_the_contract(served: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served, timeout=30)
    for path in PATHS:
        for _ in range(2):
            assert _get(connection, path) == (200, *contract.expected(path)), path
    connection.close()


def test_other_paths_are_not_found(served: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served, timeout=30)
    for path in REFUSED:
        assert _get(connection, path)[0] == 404, path
    connection.close()
