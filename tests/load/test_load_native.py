"""The native generator on real sockets: exact counts, every fault in its class, nothing unaccounted for."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import load_servers as servers
import psutil
import pytest
from load_helpers import await_requests, load_spec, run_load

from profiler.errors import ProfilerError, TargetError, UsageError
from profiler.load.native import NativeGenerator
from profiler.model.block import Window
from profiler.model.load import Endpoint

HERE = Path(__file__).parent


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "load.log"


@pytest.mark.parametrize(
    "answer", [servers.fine, servers.chunked, servers.close_delimited, servers.continued, servers.byte_by_byte]
)
def test_every_right_answer_counts(answer: servers.Answer, log: Path) -> None:
    endpoint = Endpoint(path="/", expect_body="hello", expect_length=5)
    with servers.serve(answer) as server:
        result, counts = run_load(load_spec(server.url, endpoint=endpoint), log)
        assert result.errors == {}
        assert result.account is not None
        assert result.account.in_flight == 0
        assert result.account.completed == server.received > 20
    assert result.requests == sum(count.requests for count in counts) > 0
    assert result.http_version == "1.1"


@pytest.mark.parametrize(
    ("answer", "classes"),
    [
        (servers.redirect, {"status"}),
        (servers.wrong_text, {"body"}),
        (servers.other_length, {"body"}),
        (servers.too_short_length, {"body"}),
        (servers.too_long_length, {"body"}),
        (servers.reset_in_body, {"reset"}),
        (servers.end_without_answer, {"reset"}),
        (servers.tls_alert, {"parse"}),
        (servers.endless_head, {"parse"}),
        (servers.silent, {"timeout"}),
        (servers.slow_loris, {"timeout"}),
    ],
)
@pytest.mark.parametrize("rps", [None, 200.0])
def test_every_fault_has_its_class(answer: servers.Answer, classes: set[str], rps: float | None, log: Path) -> None:
    endpoint = Endpoint(path="/", expect_body="hello", expect_length=5)
    with servers.serve(answer) as server:
        spec = load_spec(server.url, endpoint=endpoint, timeout_s=0.3, rps=rps, drain_s=0.5)
        result, _ = run_load(spec, log, seconds=0.6, blocks=2)
    assert result.account is not None
    # A wrong text is looked for in samples only; what waits for a connection that never comes is unsent.
    wrong = set(result.account.errors) - {"unsent"}
    assert wrong == classes, result.account
    assert result.account.completed == 0 or answer is servers.wrong_text


def test_a_refused_connection_is_told_at_once(log: Path) -> None:
    with servers.serve(servers.fine) as server:
        url = server.url
    session = NativeGenerator().start(load_spec(url, warm_up_limit_s=30.0), log)
    with pytest.raises(TargetError, match="connect errors"):
        session.warm_up(lambda _: None)
    result = session.stop()
    assert result.account is not None
    assert result.account.balanced
    assert set(result.account.errors) == {"connect"}


def test_blocks_add_up(log: Path) -> None:
    with servers.serve(servers.every_third_reset) as server:
        _, counts = run_load(load_spec(server.url, rps=300.0, arrivals="poisson"), log, seconds=1.0, blocks=5)
    for before, block in itertools.pairwise(counts):
        assert before.in_flight + block.offered == block.requests + block.errors + block.in_flight
    assert sum(block.errors for block in counts) > 0


def test_a_gigabyte_does_not_fill_the_memory(log: Path) -> None:
    piece = b"x" * (1 << 20)

    def gigabyte(connection: servers.socket.socket, _request: bytes, _number: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
        for _ in range(1024):
            connection.sendall(piece)
        return True

    with servers.serve(gigabyte) as server:
        session = NativeGenerator().start(load_spec(server.url, connections=1, timeout_s=60.0), log)
        generator = psutil.Process(session.pid)
        largest = 0
        while server.answered < 1:
            largest = max(largest, generator.memory_info().rss)
        result = session.stop()
    assert largest < 150 << 20
    assert result.account is not None
    assert result.account.balanced


@contextlib.contextmanager
def counting_server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    count = tmp_path / "count"
    count.write_bytes(bytes(16))
    process = subprocess.Popen(
        [sys.executable, str(HERE / "counting_server.py"), str(count), "2"],
        stdout=subprocess.PIPE, text=True, process_group=0,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process, f"http://127.0.0.1:{int(process.stdout.readline())}", count
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_counts_equal_the_servers_own(tmp_path: Path, log: Path) -> None:
    with counting_server(tmp_path) as (process, url, file):
        assert process.stdout is not None
        workers = [int(process.stdout.readline().split()[1]) for _ in range(2)]
        for run in range(20):
            before = sum(struct.unpack("qq", file.read_bytes()))
            result, _ = run_load(load_spec(url, connections=6, warm_up_s=0.1), log, seconds=0.2, blocks=2)
            assert result.account is not None
            assert (result.account.errors, result.account.in_flight) == ({}, 0)
            assert sum(struct.unpack("qq", file.read_bytes())) - before == result.account.completed > 0
            if run % 3 == 2:
                os.kill(workers.pop(0), signal.SIGKILL)
                workers.append(int(process.stdout.readline().split()[1]))


def test_a_worker_killed_under_load_is_counted(tmp_path: Path, log: Path) -> None:
    with counting_server(tmp_path) as (process, url, file):
        assert process.stdout is not None
        first = int(process.stdout.readline().split()[1])
        session = NativeGenerator().start(load_spec(url, connections=6), log)
        session.warm_up(lambda _: None)
        window = Window(index=0, start_ns=time.monotonic_ns() + 50_000_000, block_ns=200_000_000, blocks=4)
        session.begin(window)
        await_requests(lambda: sum(struct.unpack("qq", file.read_bytes())), window.start_ns)
        os.kill(first, signal.SIGKILL)
        counts = session.collect(window)
        account = session.stop().account
        assert account is not None
        assert account.balanced
        served = sum(struct.unpack("qq", file.read_bytes()))
    # The killed worker counted at most one request on each connection whose answer never left.
    assert account.completed <= served <= account.completed + account.errors.get("reset", 0)
    assert account.errors.get("reset", 0) <= 6
    assert counts[-1].requests > 0


def test_switches_reach_the_wire(log: Path, tmp_path: Path) -> None:
    with servers.serve(servers.fine) as server:
        result, _ = run_load(load_spec(server.url, keep_alive=False), log)
        assert result.account is not None
        assert server.connections == result.connections_opened == result.account.completed
        assert result.requests_per_connection == 1.0
        server.lines.clear()
        run_load(load_spec(server.url, http="1.0"), log)
        assert set(server.lines) == {b"GET / HTTP/1.0"}
    with servers.serve(servers.fine) as server:
        result, counts = run_load(load_spec(server.url, connections=2, pipeline=8), log)
        assert server.connections == 2
        assert counts[-1].in_flight == 16
    path = tmp_path / "socket"
    with servers.serve(servers.fine, unix=path) as server:
        result, _ = run_load(load_spec("http://localhost", unix_socket=str(path)), log)
        assert result.requests > 0


def test_endpoints_by_weight_and_templates(log: Path) -> None:
    first = Endpoint(path="/a/{id}", weight=3.0, values={"id": ("1", "2", "x y")})
    second = Endpoint(path="/b", method="POST", body=b'{"id": {id}}', values={"id": ("7", "8")})
    with servers.serve(servers.fine) as server:
        result, _ = run_load(load_spec(server.url, endpoint=first, more=(second,), seed=5), log)
        seen = {line.decode().split(" HTTP")[0]: count for line, count in server.lines.items()}
    assert set(seen) == {"GET /a/1", "GET /a/2", "GET /a/x%20y", "POST /b"}
    total = sum(seen.values())
    share = seen["POST /b"] / total
    # Five standard deviations of a share of a quarter.
    assert abs(share - 0.25) < 5 * (0.25 * 0.75 / total) ** 0.5
    assert [(endpoint.method, endpoint.path) for endpoint in result.endpoints] == [("GET", "/a/{id}"), ("POST", "/b")]
    assert sum(endpoint.requests for endpoint in result.endpoints) == result.requests


def test_a_frozen_server_shows_in_corrected_times_only(log: Path) -> None:
    frozen_s, period_s = 0.4, 1.0

    def freezing(connection: servers.socket.socket, request: bytes, number: int) -> bool:
        into = time.monotonic() % period_s
        if into < frozen_s:
            time.sleep(frozen_s - into)
        return servers.fine(connection, request, number)

    with servers.serve(freezing) as server:
        closed, _ = run_load(load_spec(server.url, connections=1), log, seconds=3.0)
        opened, _ = run_load(load_spec(server.url, connections=1, rps=100.0), log, seconds=3.0)
    assert opened.latency_ms is not None and opened.uncorrected_ms is not None and closed.latency_ms is not None
    # Arrivals fall into the freeze for 40 % of the time and wait evenly from nothing to all of it:
    # the share of waits above w is (frozen - w) / period, so the upper tenth begins at frozen - 0.1 × period.
    exact_p90_ms = (frozen_s - 0.1 * period_s) * 1e3
    assert opened.latency_ms.corrected
    assert opened.latency_ms.p90 > 0.8 * exact_p90_ms
    assert opened.uncorrected_ms.p90 < 0.5 * exact_p90_ms
    assert closed.latency_ms.p99 < 0.5 * exact_p90_ms
    assert closed.latency_ms.max > 0.5 * exact_p90_ms


def test_a_queue_that_is_full_is_counted_as_unsent(log: Path) -> None:
    with servers.serve(servers.silent) as server:
        spec = load_spec(server.url, connections=2, rps=500.0, queue_limit=10, timeout_s=5.0, drain_s=0.1)
        result, _ = run_load(spec, log)
    assert result.account is not None
    assert result.account.errors.keys() == {"unsent"}
    assert result.account.in_flight == 12


def test_a_starved_generator_says_so(log: Path) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    spinners = [
        subprocess.Popen(["taskset", "-c", str(cpus[-1]), sys.executable, "-c", "while True: pass"]) for _ in range(4)
    ]
    try:
        with servers.serve(servers.fine) as server:
            result, _ = run_load(load_spec(server.url, cpus=(cpus[-1],), rps=3000.0), log, seconds=1.0)
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
    assert result.verdict == "generator-bound"
    assert any("limit" in reason for reason in result.reasons)
    assert result.headroom is not None and result.headroom.starved > 0.1


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from profiler.load.native import NativeGenerator;"
        "from profiler.model.load import Endpoint, LoadSpec;"
        "s = NativeGenerator().start(LoadSpec(url=sys.argv[1], endpoint=Endpoint(path='/')), Path(sys.argv[2]));"
        "s.warm_up(lambda _: None); print(s.pid, flush=True); time.sleep(60)"
    )
    with servers.serve(servers.fine) as server:
        parent = subprocess.Popen(
            [sys.executable, "-c", program, server.url, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
        )
        assert parent.stdout is not None
        generator = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        parent.stdout.close()
        generator.wait(5)
        assert not generator.is_running()


def test_the_deadline_ends_it(log: Path) -> None:
    with servers.serve(servers.fine) as server:
        session = NativeGenerator().start(load_spec(server.url, deadline_s=0.6), log)
        session.warm_up(lambda _: None)
        window = Window(index=0, start_ns=time.monotonic_ns() + 50_000_000, block_ns=10**9, blocks=4)
        session.begin(window)
        with pytest.raises(ProfilerError, match="deadline"):
            session.collect(window)
        assert session.stop().requests == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"url": "https://127.0.0.1/"}, "TLS"),
        ({"url": "ftp://127.0.0.1/"}, "not a URL"),
        ({"url": "http://127.0.0.1:99999/"}, "port"),
        ({"endpoint": Endpoint(path="/", headers=(("A", "b\r\nC: d"),))}, "line break"),
        ({"endpoint": Endpoint(path="/", method="G T")}, "not a method"),
        ({"pipeline": 2, "keep_alive": False}, "pipelining"),
        ({"endpoint": Endpoint(path="/{a}", values={"a": ()})}, "no values"),
    ],
)
def test_what_can_not_be_offered_is_refused(more: dict[str, object], message: str, log: Path) -> None:
    with pytest.raises(UsageError, match=message):
        NativeGenerator().start(load_spec(**{"url": "http://127.0.0.1:1", **more}), log)  # type: ignore[arg-type]
