"""Adapters on the real tools, the verdict's rules, and histograms that merge without loss."""

from __future__ import annotations

import os
import time
from pathlib import Path

import load_servers as servers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_helpers import load_spec

from profiler import _native
from profiler.errors import ProfilerError, UsageError
from profiler.load import GENERATORS, find_generator
from profiler.load.latency import describe, merge
from profiler.load.oha import Oha
from profiler.load.values import parse_values
from profiler.load.verdict import GENERATOR_BOUND, RATE_HELD, SERVER_BOUND, UNSURE, judge
from profiler.load.wrk import Wrk
from profiler.model.block import Window
from profiler.model.load import Endpoint, Headroom, LoadResult

LOCUSTFILE = """
from locust import FastHttpUser, task

class User(FastHttpUser):
    @task
    def hello(self):
        self.client.get("/")
"""

OHA = """{"summary": {"successRate": 1.0, "total": 2.0, "slowest": 0.02, "fastest": 0.0001, "average": 0.001,
"requestsPerSec": 20000.0, "totalData": 1000, "sizePerRequest": 27, "sizePerSec": 500.0},
"latencyPercentiles": {"p10": 0.0005, "p50": 0.001, "p90": 0.002, "p99": 0.004, "p99.9": 0.01},
"statusCodeDistribution": {"200": 39000, "503": 1000}, "errorDistribution": {"aborted due to deadline": 50,
"connection closed before message completed": 7}}"""


def offer(name: str, url: str, log: Path) -> tuple[LoadResult, int]:
    """One window of one second; (result, requests over its blocks)."""
    session = find_generator(name).start(load_spec(url, warm_up_s=1.0), log)
    try:
        session.warm_up(lambda _: None)
        window = Window(index=0, start_ns=time.monotonic_ns() + 50_000_000, block_ns=500_000_000, blocks=2)
        session.begin(window)
        counts = session.collect(window)
    finally:
        result = session.stop()
    assert len(counts) == 2
    return result, sum(count.requests for count in counts)


@pytest.fixture(autouse=True)
def tools_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where scripts/setup put oha."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    monkeypatch.setenv("PATH", f"{cache}/hotpath-profiler/tools/bin{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize("name", ["native", "wrk", "oha", "locust"])
def test_the_contract(name: str, tmp_path: Path) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text(LOCUSTFILE)
    with servers.serve(servers.fine) as server:
        result, counted = offer(f"locust:{file}" if name == "locust" else name, server.url, tmp_path / "log")
    assert result.generator == name
    assert result.version
    assert result.requests == counted > 0
    assert result.errors == {}
    assert result.latency_ms is not None
    # Each one but the native says what it can't measure, and marks its times.
    assert bool(result.unmeasured) == bool(result.latency_ms.label) == (name != "native")


@pytest.mark.parametrize("name", ["wrk", "oha", "locust"])
def test_tools_count_wrong_statuses(name: str, tmp_path: Path) -> None:
    def failing(connection: servers.socket.socket, _request: bytes, _number: int) -> bool:
        connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        return True

    file = tmp_path / "locustfile.py"
    file.write_text(LOCUSTFILE)
    with servers.serve(failing) as server:
        result, counted = offer(f"locust:{file}" if name == "locust" else name, server.url, tmp_path / "log")
    assert (result.requests, counted) == (0, 0)
    assert result.errors.keys() == {"status"}


def test_output_of_oha() -> None:
    report = Oha().read(OHA)
    assert (report.requests, report.seconds) == (39000, 2.0)
    assert report.errors == {"status": 1000, "reset": 7}
    assert report.latency_ms is not None and report.latency_ms.p99 == 4.0
    with pytest.raises(KeyError):
        Oha().read("{}")


def test_output_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no line of totals"):
        Wrk().read("unable to connect to 127.0.0.1:1 Connection refused\n")
    with servers.serve(servers.fine) as server:
        url = server.url
    with pytest.raises(ProfilerError, match="printed something else"):
        offer("wrk", url, tmp_path / "log")


def test_a_header_of_wrk_is_on_the_wire_and_not_among_its_arguments(tmp_path: Path) -> None:
    seen: set[bytes] = set()

    def note(connection: servers.socket.socket, request: bytes, number: int) -> bool:
        seen.add(request)
        return servers.fine(connection, request, number)

    endpoint = Endpoint(path="/", method="POST", headers=(("X-Secret", 'a"b\\ü'),), body=b"\x00\xff\n{}")
    spec = load_spec("http://127.0.0.1:1", endpoint=endpoint)
    assert not any("X-Secret" in part for part in Wrk().command(spec, 1, tmp_path))
    with servers.serve(note) as server:
        session = Wrk().start(load_spec(server.url, endpoint=endpoint, warm_up_s=1.0), tmp_path / "log")
        session.warm_up(lambda _: None)
        session.stop()
    assert all('X-Secret: a"b\\ü'.encode() in request and request.endswith(b"\x00\xff\n{}") for request in seen)
    assert seen


def test_generators_are_found_by_name() -> None:
    assert [generator.name for generator in GENERATORS] == ["native", "wrk", "oha", "locust"]
    with pytest.raises(UsageError, match="no load generator 'ab'"):
        find_generator("ab")
    with pytest.raises(UsageError, match="no load generator 'wrk:x'"):
        find_generator("wrk:x")


def headroom(**more: float | None) -> Headroom:
    values: dict[str, float | None] = {
        "busy": 0.3, "starved": 0.01, "cpu_us_per_request": 9.0, "lag_p99_ms": 0.1, "depth": 50.0, "little": 1.0,
    }  # fmt: skip
    return Headroom(**{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("figures", "rate", "expected"),
    [
        ({}, None, SERVER_BOUND),
        ({"busy": 0.9}, None, GENERATOR_BOUND),
        ({"busy": 0.9, "server_busy": 0.99}, None, UNSURE),
        ({"busy": 0.97, "server_busy": 0.99}, None, GENERATOR_BOUND),
        ({"starved": 0.4}, None, GENERATOR_BOUND),
        ({"starved": 0.4, "server_busy": 0.5}, None, GENERATOR_BOUND),
        ({"starved": 0.4, "server_busy": 0.99}, None, SERVER_BOUND),
        ({"busy": 0.6, "starved": 0.2}, None, UNSURE),
        ({"server_busy": 0.3}, None, UNSURE),
        ({"little": 0.9}, None, UNSURE),
        ({"rate_ratio": 1.0}, 100.0, RATE_HELD),
        ({"rate_ratio": 1.0, "lag_p99_ms": 1.5}, 100.0, GENERATOR_BOUND),
        ({"rate_ratio": 0.8}, 100.0, SERVER_BOUND),
    ],
)
def test_verdicts(figures: dict[str, float], rate: float | None, expected: str) -> None:
    verdict, reasons = judge(headroom(**figures), rate=rate, p99_ms=5.0)
    assert verdict == expected
    assert reasons


@given(st.lists(st.lists(st.integers(1_000, 60_000_000_000), max_size=40), min_size=1, max_size=6))
def test_merging_loses_nothing(parts: list[list[int]]) -> None:
    merged = merge(_native.record_latency(part) for part in parts)
    assert merged == merge([_native.record_latency([value for part in parts for value in part])])
    values = sorted(value for part in parts for value in part)
    latency = describe(merged, corrected=False)
    if not values:
        assert latency is None
        return
    assert latency is not None
    assert latency.max == pytest.approx(values[-1] / 1e6, rel=2e-3, abs=1e-3)
    assert latency.p50 == pytest.approx(values[(len(values) - 1) // 2] / 1e6, rel=2e-3, abs=1e-3)


def test_a_damaged_histogram_is_an_error() -> None:
    whole = _native.record_latency([1_000_000])
    for text in ("!", "AAAA", whole[: len(whole) // 2]):
        with pytest.raises(UsageError, match="damaged"):
            merge([text])


def test_values_of_templates(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("a b\nc\n")
    assert parse_values("id=1,2", 0) == ("id", ("1", "2"))
    assert parse_values(f"id=@{tmp_path}/names", 0) == ("id", ("a b", "c"))
    assert parse_values("id=seq:3:5", 0) == ("id", ("3", "4", "5"))
    drawn = parse_values("id=int:1:9", 7)
    assert drawn == parse_values("id=int:1:9", 7) != parse_values("id=int:1:9", 8)
    assert {int(value) for value in drawn[1]} == set(range(1, 10))
    for wrong in ("id", "1=2", "id=int:5:1", "id=int:a:b", f"id=@{tmp_path}/none"):
        with pytest.raises(UsageError):
            parse_values(wrong, 0)
