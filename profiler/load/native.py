"""The native generator: HTTP/1 from a Rust core in a process of its own."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from profiler import __version__
from profiler.errors import ProfilerError, TargetError, UsageError
from profiler.load.address import resolve
from profiler.load.base import Tick
from profiler.load.counts import block_count, nonzero
from profiler.load.pipes import GeneratorProcess
from profiler.load.render import render_requests
from profiler.load.summary import Life, sum_up
from profiler.model.block import BlockCount, Window
from profiler.model.load import LoadResult, LoadSpec

WARM_UP_EXTRA_S = 10.0
# Beyond the instant at which an answer of the generator is due.
PATIENCE_S = 10.0


def _ignore(_tick: Tick) -> None:
    return None


class NativeGenerator:
    """Closed or open loop over HTTP/1; measures everything that a `LoadResult` has room for."""

    name = "native"

    def probe(self) -> str | None:
        try:
            from profiler import _native

            _native.serve_load  # noqa: B018 - is it there
        except (ImportError, AttributeError) as error:
            return f"the Rust core is not built ({error}): run scripts/setup"
        return None

    def start(self, spec: LoadSpec, log: Path) -> NativeSession:
        """UsageError or TargetError where the spec can't be carried out."""
        return NativeSession(spec, log)


class NativeSession:
    """A generator at work."""

    def __init__(self, spec: LoadSpec, log: Path) -> None:
        self._spec = spec
        order = _order(spec)
        self._life = Life(spec=spec, generator=NativeGenerator.name, version=__version__)
        self._process = GeneratorProcess(order, spec.cpus, log)
        self._windows: dict[int, dict[str, Any]] = {}
        self._ended = False
        self.pid = self._process.pid

    def warm_up(self, progress: Callable[[Tick], None]) -> None:
        """TargetError where not one request was answered by the end of the warm-up."""
        patience = _warm_up_limit(self._spec) + PATIENCE_S
        while not self._life.warm:
            self._take(patience, progress)
        if self._life.warm_requests == 0:
            raise TargetError(
                f"no request was answered during {self._life.warm_up_s:.1f} s of warm-up{self._why()}",
                hint="does the URL name the right port, and does the server answer there?",
            )

    def begin(self, window: Window) -> None:
        self._process.command(
            {
                "window": {
                    "index": window.index,
                    "start_ns": window.start_ns,
                    "block_ns": window.block_ns,
                    "blocks": window.blocks,
                }
            }
        )

    def collect(self, window: Window, progress: Callable[[Tick], None] = _ignore) -> tuple[BlockCount, ...]:
        while window.index not in self._windows:
            left = (window.end_ns - time.monotonic_ns()) / 1e9
            self._take(max(0.0, left) + PATIENCE_S, progress)
        event = self._windows.pop(window.index)
        counts = tuple(block_count(block) for block in event["blocks"])
        self._life.add_window(window, counts, late_ns=event["late_ns"])
        return counts

    def stop(self) -> LoadResult:
        if not self._ended:
            try:
                self._process.command({"stop": {"drain_s": self._spec.drain_s}})
                while self._life.done is None:
                    self._take(self._spec.drain_s + PATIENCE_S, _ignore)
            except ProfilerError as error:
                self._life.warnings.append(error.message)
            finally:
                self._ended = True
                self._process.end(patience_s=1.0)
        return sum_up(self._life)

    def _take(self, patience_s: float, progress: Callable[[Tick], None]) -> None:
        """Take one event."""
        event = self._process.event(patience_s)
        match event["event"]:
            case "tick":
                progress(Tick(phase=event["phase"], rps=event["rps"], errors=event["errors"], p99_ms=event["p99_ms"]))
            case "warm":
                self._life.warm = True
                self._life.steady = event["steady"]
                self._life.warm_up_s = event["seconds"]
                self._life.warm_requests = event["requests"]
                self._life.warm_up_errors = nonzero(event["errors"])
            case "window":
                self._windows[event["index"]] = event
            case "done":
                self._life.done = event
                if event["reason"] == "deadline":
                    raise ProfilerError(
                        f"the load generator reached its deadline of {self._spec.deadline_s:g} s",
                        hint="measure for a shorter time, or raise the deadline",
                    )
            case "fatal":
                raise ProfilerError(f"the load generator can't work: {event['message']}")

    def _why(self) -> str:
        errors = self._life.warm_up_errors.items()
        return f" ({', '.join(f'{count} {name} errors' for name, count in errors)})" if errors else ""


def _warm_up_limit(spec: LoadSpec) -> float:
    return spec.warm_up_limit_s if spec.warm_up_limit_s is not None else spec.warm_up_s + WARM_UP_EXTRA_S


def _order(spec: LoadSpec) -> dict[str, Any]:
    """The order as the core takes it."""
    address, host = resolve(spec)
    if spec.pipeline > 1 and not spec.keep_alive:
        raise UsageError("pipelining needs connections that are kept open")
    return {
        "address": address,
        "endpoints": [
            {
                "weight": endpoint.weight,
                "requests": [base64.b64encode(request).decode() for request in render_requests(spec, endpoint, host)],
                "status": endpoint.expect_status,
                "length": spec.expect_length
                if number == 0 and endpoint.expect_length is None
                else endpoint.expect_length,
                "text": base64.b64encode((endpoint.expect_body or "").encode()).decode(),
                "head": endpoint.method == "HEAD",
            }
            for number, endpoint in enumerate(spec.endpoints)
        ],
        "connections": spec.connections,
        "rate": spec.rps,
        "arrivals": spec.arrivals,
        "seed": spec.seed,
        "keep_alive": spec.keep_alive,
        "pipeline": spec.pipeline,
        "warm_up_s": spec.warm_up_s,
        "warm_up_limit_s": _warm_up_limit(spec),
        "timeout_s": spec.timeout_s,
        "deadline_s": spec.deadline_s,
        "queue_limit": spec.queue_limit,
    }
