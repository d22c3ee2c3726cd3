"""The reference server: the contract under every setting of the switches, and how a real server behaves."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from hotpaths import contract
from hotpaths.access_logging import normalise
from hotpaths.catalogue import OPTIMIZATIONS
from hotpaths.server import switches

SETTINGS = [
    ",".join(f"{name}={state}" for name, state in zip(switches.WORDS, states, strict=True))
    for states in itertools.product(("off", "on"), repeat=len(switches.WORDS))
]
REQUESTS = (
    ("GET", "/hello"),
    ("GET", "/hello?x=1&y=2"),
    ("HEAD", "/hello"),
    ("GET", "/json/21"),
    ("GET", "/json/10000"),
    ("GET", "/bytes/27"),
    ("GET", "/bytes/1048576"),
    ("GET", "/await"),
    ("GET", "/orm"),
    ("GET", "/json/20"),
    ("GET", "/json/%31%30"),
    ("GET", "/bytes/x"),
    ("GET", "/nowhere"),
    ("GET", "/"),
    ("POST", "/hello"),
)
OPENED = b"GET /hello HTTP/1.1\r\nhost: x\r\ncookie: a=1; b=2\r\n\r\n"


@dataclass
class Server:
    process: subprocess.Popen[str]
    port: int
    announced: str
    errors: Path

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(20)

    def lines(self) -> list[str]:
        return self.errors.read_text().splitlines()


@contextmanager
def serving(place: Path, *flags: str, **environment: str) -> Iterator[Server]:
    errors = place / "errors.log"
    with errors.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "hotpaths.server", "--port", "0", *flags],
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            cwd=place,
            env={**os.environ, "XDG_CACHE_HOME": str(place), **environment},
        )
    assert process.stdout
    try:
        assert select.select([process.stdout], [], [], 60)[0], "never ready"
        announced = process.stdout.readline()
        found = re.fullmatch(r"serving http://127\.0\.0\.1:(\d+) with .*\n", announced)
        assert found, (announced, errors.read_text())
        yield Server(process, int(found[1]), announced, errors)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def _responses(server: Server) -> list[tuple[object, ...]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    seen: list[tuple[object, ...]] = []
    for method, path in REQUESTS:
        connection.request(method, path, headers={"cookie": "a=1"})
        response = connection.getresponse()
        head = [(name, value) for name, value in response.getheaders() if name != "date"]
        seen.append((method, path, response.status, response.reason, tuple(head), response.read()))
    connection.close()
    return seen


@pytest.fixture(scope="module")
def all_off(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[tuple[object, ...]], list[str]]:
    with serving(tmp_path_factory.mktemp("all-off"), "--set", "all=off") as server:
        responses = _responses(server)
        assert server.stop() == 0
        return responses, [normalise(line) for line in server.lines()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("combinations")


@pytest.mark.parametrize("setting", SETTINGS)
def test_bytes_and_lines_are_the_same_and_each_side_ran(
    setting: str, all_off: tuple[list[tuple[object, ...]], list[str]], place: Path
) -> None:
    with serving(place, "--set", setting, "--count") as server:
        assert f"with {setting}, " in server.announced
        responses = _responses(server)
        assert server.stop() == 0
    *lines, counted = server.lines()
    assert responses == all_off[0]
    assert [normalise(line) for line in lines] == all_off[1]
    assert len(lines) == len(REQUESTS)
    counters = json.loads(counted)["counters"]
    assert counters["requests"] == len(REQUESTS)
    switched = switches.parse(setting)
    for optimization in OPTIMIZATIONS:
        on = getattr(switched, "inline_async" if optimization.switch == "async" else optimization.switch)
        ran, idle = ("after", "before") if on else ("before", "after")
        assert counters.get(optimization.calls.counters[ran], 0) > 0, optimization.slug
        assert counters.get(optimization.calls.counters[idle], 0) == 0, optimization.slug


def test_answers_are_the_contract(all_off: tuple[list[tuple[object, ...]], list[str]]) -> None:
    found = {path: (dict(head), body) for method, path, _, _, head, body in all_off[0] if method == "GET"}  # type: ignore[call-overload]
    for path in ("/hello", "/json/21", "/json/10000", "/bytes/27", "/bytes/1048576", "/await", "/orm"):
        head, body = found[path]
        assert (head["content-type"], body) == contract.expected(path)
    assert [(method, path, status) for method, path, status, *_ in all_off[0]][-7:] == [
        ("GET", "/orm", 200),
        ("GET", "/json/20", 404),
        ("GET", "/json/%31%30", 404),
        ("GET", "/bytes/x", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/", 404),
        ("POST", "/hello", 405),
    ]


@pytest.mark.parametrize(
    ("path", "state"), [*itertools.product(("/hello", "/json/1000", "/bytes/27", "/await"), SETTINGS[::31])]
)
def test_calls_per_request_are_as_declared(path: str, state: str, place: Path) -> None:
    with serving(place, "--set", state, "--count") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        for _ in range(5):
            connection.request("GET", path)
            connection.getresponse().read()
        connection.close()
        assert server.stop() == 0
    counters = json.loads(server.lines()[-1])["counters"]
    ran = "after" if "=on" in state else "before"
    for optimization in OPTIMIZATIONS:
        assert counters.get(optimization.calls.counters[ran], 0) == 5 * optimization.calls.per_request(path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


def _read_until_closed(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /hello HTTP/9.9\r\n\r\n", b"400"),
        (b"GET  /hello HTTP/1.1\r\nhost: x\r\n\r\n", b"400"),
        (b"GET /hello HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", b"400"),
        (b"GET /hello HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /hello HTTP/1.1\r\na: " + b"b" * 60_000 + b"\r\n\r\n", b"431"),
        (b"POST /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 70000\r\n\r\n", b"413"),
    ],
)
def test_bad_requests_are_refused(server: Server, sent: bytes, status: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(sent)
        try:
            received = _read_until_closed(connection)
        except ConnectionResetError:  # The refusal came first, the rest of what was sent was not wanted.
            received = b"HTTP/1.1 " + status
        assert received.startswith(b"HTTP/1.1 " + status + b" ") or received == b"HTTP/1.1 " + status
    assert _status(server) == 200


def _status(server: Server) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/hello")
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_connection_is_kept_and_closed_as_asked(server: Server) -> None:
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(OPENED)
            assert b'{"message":"Hello, World!"}' in connection.recv(65536)
        connection.sendall(OPENED.replace(b"cookie: a=1; b=2", b"connection: close"))
        assert _read_until_closed(connection).endswith(b'{"message":"Hello, World!"}')
    with server.connect() as connection:
        connection.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
        assert _read_until_closed(connection).startswith(b"HTTP/1.0 200 OK")


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    paths = [b"/await", b"/hello", b"/bytes/5", b"/nowhere", b"/orm"]
    with server.connect() as connection:
        *most, last = [OPENED.replace(b"/hello", path) for path in paths]
        connection.sendall(b"".join(most) + last.replace(b"cookie: a=1; b=2", b"connection: close"))
        received = _read_until_closed(connection)
    wanted = [b'{"awaited":true}', b"Hello, World", b"\x00\x01\x02\x03\x04", b"Not Found", b"user0010"]
    places = [received.index(text) for text in wanted]
    assert places == sorted(places)


def test_a_pipelining_client_that_reads_nothing_is_made_to_wait(server: Server) -> None:
    before = psutil.Process(server.process.pid).memory_info().rss
    with server.connect() as connection:
        connection.setblocking(False)
        sent = 0
        request = OPENED.replace(b"/hello", b"/bytes/1000000") * 100
        deadline = time.monotonic() + 20
        # 100 MB of answers are asked for in each turn; the server stops reading long before.
        while time.monotonic() < deadline and sent < 50_000_000:
            if not select.select([], [connection], [], 1)[1]:
                break
            sent += connection.send(request)
        assert sent < 50_000_000
        assert psutil.Process(server.process.pid).memory_info().rss - before < 50_000_000
    assert _status(server) == 200


def test_a_client_that_leaves_harms_nobody(server: Server) -> None:
    for path in (b"/await", b"/orm", b"/bytes/1000000"):
        connection = server.connect()
        connection.sendall(OPENED.replace(b"/hello", path))
        connection.close()
    assert _status(server) == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_stop_finishes_what_is_under_way(tmp_path: Path, how: signal.Signals, processes: str) -> None:
    with serving(tmp_path, "--processes", processes) as server:
        with server.connect() as idle, server.connect() as busy:
            idle.sendall(OPENED)
            assert b"200 OK" in idle.recv(65536)
            # Larger than the sockets' buffers: the response is under way until it is read.
            busy.sendall(OPENED.replace(b"/hello", b"/bytes/1048576") * 8)
            assert busy.recv(1)
            server.process.send_signal(how)
            assert idle.recv(1) == b""
            received = _read_until_closed(busy)
            assert len(received) > 1_048_576
        assert server.process.wait(20) == 0
        with pytest.raises(OSError):
            server.connect()


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    with serving(tmp_path, "--drain-seconds", "600") as server, server.connect() as busy:
        busy.sendall(OPENED.replace(b"/hello", b"/bytes/1048576") * 8)
        assert busy.recv(1)
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not _refuses(server):
            time.sleep(0.02)
        assert server.stop() == 0


def _refuses(server: Server) -> bool:
    try:
        server.connect().close()
    except OSError:
        return True
    return False


def test_processes_and_workers_share_a_port(tmp_path: Path) -> None:
    with serving(tmp_path, "--processes", "2", "--workers", "2", "--count") as server:
        children = psutil.Process(server.process.pid).children()
        assert len(children) == 2
        assert {connection.status for connection in psutil.Process(children[0].pid).net_connections("tcp")} == {
            "LISTEN"
        }
        assert [_status(server) for _ in range(60)] == [200] * 60
        assert all(sum(name.startswith("hotpaths-") for name in _threads(child.pid)) >= 2 for child in children)
        assert server.stop() == 0
    counted = [json.loads(line)["counters"]["requests"] for line in server.lines() if line.startswith("{")]
    assert sum(counted) == 60
    assert len(counted) == 2
    assert all(counted)


def _threads(pid: int) -> list[str]:
    return [(task / "comm").read_text().strip() for task in Path(f"/proc/{pid}/task").iterdir()]


@pytest.mark.parametrize("victim", ["child", "parent"])
def test_processes_end_together(tmp_path: Path, victim: str) -> None:
    with serving(tmp_path, "--processes", "2") as server:
        parent = psutil.Process(server.process.pid)
        children = parent.children()
        (children[0] if victim == "child" else parent).kill()
        assert server.process.wait(20) == (1 if victim == "child" else -signal.SIGKILL)
        assert psutil.wait_procs(children, timeout=20)[1] == []
    assert victim == "parent" or "ended by itself" in server.lines()[-1]


@pytest.mark.parametrize("setting", ["all=off", "all=on"])
def test_answers_do_not_depend_on_thread_states(
    setting: str, all_off: tuple[list[tuple[object, ...]], list[str]], tmp_path: Path
) -> None:
    with serving(tmp_path, "--thread-state", "per-request", "--set", setting) as server:
        assert server.announced.endswith(", thread-state=per-request\n")
        assert _responses(server) == all_off[0]
        assert server.stop() == 0
        assert [normalise(line) for line in server.lines()] == all_off[1]


def test_switches_come_from_the_environment_and_flags_win(tmp_path: Path) -> None:
    with serving(tmp_path, "--set", "bodies=borrow", HOTPATHS_SET="all=off,logging=rust") as server:
        assert "logging=on,bodies=on,async=off,allocations=off,handlers=off" in server.announced
    with serving(tmp_path, HOTPATHS_SET="handlers=chain") as server:
        assert "logging=on,bodies=on,async=on,allocations=on,handlers=off" in server.announced


@pytest.mark.parametrize("logging", ["python", "rust"])
def test_the_log_goes_where_it_is_sent_and_slow_ones_only(tmp_path: Path, logging: str) -> None:
    file = tmp_path / "access.log"
    flags = ("--access-log", str(file), "--log-slow-ms", "1e8", "--set", f"logging={logging}")
    with serving(tmp_path, *flags) as server:
        _responses(server)
        assert server.stop() == 0
        assert server.lines() == []
    assert all(" WARNING " in line for line in file.read_text().splitlines())
    assert len(file.read_text().splitlines()) == sum(
        method == "POST" or path[1:] in _MISSING for method, path in REQUESTS
    )


_MISSING = ("json/20", "json/%31%30", "bytes/x", "nowhere", "")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--set", "loging=off"), "did you mean logging?"),
        (("--set", "bodies=rust"), "bodies can't be 'rust': say off, on, copy, borrow"),
        (("--processes", "0"), "--processes"),
        (("--port", "70000"), "70000"),
    ],
)
def test_wrong_use_is_said_in_one_line(flags: tuple[str, ...], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "hotpaths.server", *flags], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        flags = ("--port", str(taken.getsockname()[1]))
        for processes in ("1", "2"):
            command = [sys.executable, "-m", "hotpaths.server", *flags, "--processes", processes]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert ended.returncode == 1
            assert "in use" in ended.stderr
            assert "Traceback" not in ended.stderr
