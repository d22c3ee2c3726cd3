"""A wall clock that steps changes nothing: the generator reads steady clocks only."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from pathlib import Path

import load_servers as servers
import pytest
from load_helpers import load_spec

from profiler.load.native import NativeGenerator
from profiler.model.block import Window

HERE = Path(__file__).parent
WATCH = """
import time
end, offsets = time.monotonic() + 1, []
while time.monotonic() < end:
    offsets.append(time.time() - time.monotonic())
print(max(offsets) - min(offsets))
"""


@pytest.fixture
def stepping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every process that is started from now on has a wall clock that steps; the file counts who reads what."""
    library, counters = tmp_path / "stepping_clock.so", tmp_path / "counters"
    source = HERE / "stepping_clock.c"
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source], check=True)
    counters.write_bytes(bytes(16))
    monkeypatch.setenv("STEPPING_CLOCK", str(counters))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    return counters


def readings(counters: Path) -> tuple[int, int]:
    """(of the wall clock, of all others) so far."""
    wall, steady = struct.unpack("qq", counters.read_bytes())
    return wall, steady


def test_the_clock_really_steps(stepping: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WATCH], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(7200, abs=1)
    assert min(readings(stepping)) > 0


@pytest.mark.parametrize("rps", [None, 500.0])
def test_a_stepping_clock_changes_nothing(rps: float | None, stepping: Path, tmp_path: Path) -> None:
    with servers.serve(servers.fine) as server:
        session = NativeGenerator().start(load_spec(server.url, rps=rps, warm_up_limit_s=2.0), tmp_path / "log")
        try:
            session.warm_up(lambda _: None)
            before = readings(stepping)
            window = Window(index=0, start_ns=time.monotonic_ns() + 10**8, block_ns=250_000_000, blocks=4)
            session.begin(window)
            counts = session.collect(window)
            after = readings(stepping)
        finally:
            result = session.stop()
        assert result.account is not None
        assert result.account.balanced
        assert result.account.completed == server.received
    assert after[0] == before[0], "the wall clock was read"
    assert after[1] - before[1] > result.requests > 0
    assert result.requests == sum(count.requests for count in counts)
    assert (result.errors, result.seconds) == ({}, 1.0)
    # A step of two hours would be seen from far away.
    assert result.latency_ms is not None
    assert 0 < result.latency_ms.max < 600_000
    if rps is not None:
        assert rps / 10 < sum(count.offered for count in counts) < 10 * rps
