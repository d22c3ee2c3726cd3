"""What a recording makes of its load: a verdict that knows the server's share, a length expected where that is safe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import load_servers as servers
import msgspec
import pytest

from profiler.load.latency import merge
from profiler.model.block import LoadBlocks
from profiler.model.load import Endpoint
from profiler.targets.readiness import constant_length

SERVER = """
import asyncio, sys
class Answer(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok" * data.count(b"\\r\\n\\r\\n"))
async def main():
    server = await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""


def record(folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "profiler", "record", "--sampler", "none", "--warmup", "0.3", "--duration", "1",
         "--connections", "8", "-o", "run", *options, "--", sys.executable, "-c", SERVER, "{port}"],
        cwd=folder, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done, json.loads((folder / "run/run.json").read_text())


@pytest.fixture
def crowded_cpu() -> Iterator[int]:
    """A CPU on which four others are always ready to run."""
    cpu = max(os.sched_getaffinity(0))
    spinners = [subprocess.Popen(["taskset", "-c", str(cpu), sys.executable, "-c", "while 1: pass"]) for _ in range(4)]
    yield cpu
    for spinner in spinners:
        spinner.kill()
        spinner.wait()


def test_a_recording_limited_by_its_generator_says_so_and_ends_with_5(tmp_path: Path, crowded_cpu: int) -> None:
    done, metadata = record(tmp_path, "--rps", "3000", "--client-cpus", str(crowded_cpu))
    assert done.returncode == 5, done.stderr
    assert metadata["load"]["verdict"] == "generator-bound"
    (reason,) = [text for text in metadata["untrusted"] if "the load generator was the limit" in text]
    assert "behind its schedule" in reason
    assert "not to be trusted: the load generator was the limit" in " ".join((done.stdout + done.stderr).split())
    shown = subprocess.run(
        [sys.executable, "-m", "profiler", "show", "run"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert "not to be trusted: the load generator was the limit" in " ".join(shown.stdout.split())


def test_the_verdict_knows_the_servers_share(tmp_path: Path) -> None:
    _, metadata = record(tmp_path, "--rps", "200")
    load = metadata["load"]
    cpus = len(metadata["target"].get("cpus") or os.sched_getaffinity(0))
    cpu = sum(block["cpu_ns"] for block in metadata["blocks"])
    length = sum(block["end_ns"] - block["start_ns"] for block in metadata["blocks"])
    assert load["headroom"]["server_busy"] == pytest.approx(cpu / length / cpus)
    assert load["errors"] == {}
    kept = msgspec.json.decode((tmp_path / "run/attachments/load-blocks-0.json").read_bytes(), type=LoadBlocks)
    assert [(b.start_ns, b.end_ns, b.server_cpu_ns, b.count.requests) for b in kept.blocks] == [
        (b["start_ns"], b["end_ns"], b["cpu_ns"], b["requests"]) for b in metadata["blocks"]
    ]
    assert sum(block.count.generator_cpu_ns for block in kept.blocks) == load["generator_cpu_ns"] > 0
    corrected = merge(endpoint.corrected for block in kept.blocks for endpoint in block.count.endpoints)
    assert corrected == load["histograms"]["corrected"]


def test_a_length_is_expected_only_of_bodies_that_stay_the_same() -> None:
    def counting(connection: servers.socket.socket, _request: bytes, number: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%05d" % number)
        return True

    with servers.serve(servers.fine) as server:
        assert constant_length(server.url, Endpoint(path="/")) == 5
        assert constant_length(server.url, Endpoint(path="/", expect_status=404)) is None
        assert constant_length(server.url, Endpoint(path="/", method="HEAD")) is None
    # All of one length, and yet: the hundred-thousandth will be longer.
    with servers.serve(counting) as server:
        assert constant_length(server.url, Endpoint(path="/")) is None
