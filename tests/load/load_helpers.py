"""Driving the native generator in tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from profiler.load.native import NativeGenerator, NativeSession
from profiler.model.block import BlockCount, Window
from profiler.model.load import Endpoint, LoadResult, LoadSpec

LEAD_NS = 100_000_000


def load_spec(url: str, **more: Any) -> LoadSpec:
    defaults: dict[str, Any] = {
        "endpoint": Endpoint(path="/"), "connections": 4, "warm_up_s": 0.2, "warm_up_limit_s": 0.5, "timeout_s": 5.0,
    }  # fmt: skip
    return LoadSpec(url=url, **{**defaults, **more})


def warm(session: NativeSession) -> None:
    """The warm-up, also against servers that never answer well."""
    from profiler.errors import TargetError

    try:
        session.warm_up(lambda _: None)
    except TargetError as error:
        assert "no request was answered" in error.message


def await_requests(served: Callable[[], int], since_ns: int) -> None:
    """Until the server has answered more than it had at that instant of CLOCK_MONOTONIC."""
    deadline = since_ns + 10 * 10**9
    while time.monotonic_ns() < since_ns:
        time.sleep(0.001)
    before = served()
    while served() == before:
        assert time.monotonic_ns() < deadline, "nothing was answered"
        time.sleep(0.001)


def run_load(spec: LoadSpec, log: Path, seconds: float = 0.5, blocks: int = 4) -> tuple[LoadResult, list[BlockCount]]:
    session = NativeGenerator().start(spec, log)
    counts: list[BlockCount] = []
    try:
        warm(session)
        window = Window(
            index=0, start_ns=time.monotonic_ns() + LEAD_NS, block_ns=round(seconds / blocks * 1e9), blocks=blocks
        )
        session.begin(window)
        counts.extend(session.collect(window))
    finally:
        result = session.stop()
    assert result.account is not None
    assert result.account.balanced, result.account
    return result, counts
