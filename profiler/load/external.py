"""Other people's generators as a session: one process of theirs for each window.

None of them can say what it did between two instants that others chose. A window's count is therefore the tool's own
rate times the window's length, spread evenly over its blocks, and the result says so.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from profiler.errors import ProfilerError, UsageError
from profiler.load.base import Tick
from profiler.load.counts import add_errors
from profiler.model.block import BlockCount, Window
from profiler.model.load import Latency, LoadResult, LoadSpec

UNMEASURED = (
    "counts between given instants: blocks hold shares of the tool's own rate",
    "its own CPU time, lag and verdict",
    "whether every request is accounted for",
)
_PATIENCE_S = 20.0


class ToolReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool says of one run of its own."""

    requests: int
    seconds: float
    errors: dict[str, int] = {}
    bytes: int = 0
    latency_ms: Latency | None = None


class Tool(Protocol):
    """How a generator is called, and how its output is read."""

    name: str
    unmeasured: tuple[str, ...]

    def version(self) -> str: ...

    def command(self, spec: LoadSpec, seconds: int, folder: Path) -> list[str]:
        """Arguments for a run of that many seconds; `folder` is private and takes files the tool needs."""

    def read(self, output: str) -> ToolReport:
        """ValueError where the output is not what the tool is known to print."""


class ExternalSession:
    """A tool that is started for the warm-up and for each window."""

    def __init__(self, tool: Tool, spec: LoadSpec, log: Path) -> None:
        if spec.more or any(endpoint.values for endpoint in spec.endpoints) or spec.unix_socket or spec.pipeline > 1:
            raise UsageError(f"{tool.name} can't mix endpoints, fill templates, pipeline or use Unix sockets here")
        self._tool, self._spec, self._log = tool, spec, log
        self._folder = tempfile.TemporaryDirectory(prefix="profiler-load-")
        self._process: subprocess.Popen[str] | None = None
        self._reports: list[ToolReport] = []
        self._counts: list[BlockCount] = []
        self._seconds = 0.0
        self.pid = 0

    def warm_up(self, progress: Callable[[Tick], None]) -> None:
        report = self._finish(self._launch(self._spec.warm_up_s))
        progress(Tick(phase="warm-up", rps=report.requests / report.seconds, errors=sum(report.errors.values())))

    def begin(self, window: Window) -> None:
        self._launch((window.end_ns - time.monotonic_ns()) / 1e9)

    def collect(self, window: Window) -> tuple[BlockCount, ...]:
        if self._process is None:
            raise ProfilerError("a window was collected that was never begun")
        report = self._finish(self._process)
        self._reports.append(report)
        length = window.block_ns * window.blocks / 1e9
        self._seconds += length
        share = length / report.seconds
        counts = _spread(report, share, window.blocks)
        self._counts.extend(counts)
        return counts

    def stop(self) -> LoadResult:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._folder.cleanup()
        last = self._reports[-1] if self._reports else None
        return LoadResult(
            generator=self._tool.name,
            version=self._tool.version(),
            loop="closed" if self._spec.rps is None else "closed, with a rate limit",
            connections=self._spec.connections,
            requests=sum(count.requests for count in self._counts),
            seconds=self._seconds,
            errors=add_errors(report.errors for report in self._reports),
            bytes=sum(count.bytes for count in self._counts),
            # Percentiles can't be merged: those of the last window stand alone.
            latency_ms=last.latency_ms if last else None,
            steady=False,
            warm_up_s=self._spec.warm_up_s,
            offered_rps=self._spec.rps,
            unmeasured=(*self._tool.unmeasured, *UNMEASURED),
            warnings=(f"{self._tool.name} does not know when the request rate is steady",),
        )

    def _launch(self, seconds: float) -> subprocess.Popen[str]:
        whole = max(1, -int(-seconds // 1))
        command = self._tool.command(self._spec, whole, Path(self._folder.name))
        leash = [sys.executable, "-P", "-m", "profiler.load.leash", str(os.getpid())]
        with self._log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*leash, ",".join(map(str, self._spec.cpus)), *command],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        self.pid = self._process.pid
        self._patience = whole + _PATIENCE_S
        return self._process

    def _finish(self, process: subprocess.Popen[str]) -> ToolReport:
        try:
            output, _ = process.communicate(timeout=self._patience)
        except subprocess.TimeoutExpired:
            raise ProfilerError(f"{self._tool.name} did not end in time") from None
        self._process = None
        with contextlib.suppress(OSError), self._log.open("a") as log:
            log.write(output)
        try:
            return self._tool.read(output)
        except (ValueError, KeyError, msgspec.DecodeError) as error:
            raise ProfilerError(
                f"{self._tool.name} (status {process.returncode}) printed something else than its results: {error}",
                hint=f"its output: {self._log}",
            ) from None


def _spread(report: ToolReport, share: float, blocks: int) -> tuple[BlockCount, ...]:
    def part(total: float, number: int) -> int:
        return round(total * share * (number + 1) / blocks) - round(total * share * number / blocks)

    errors = sum(report.errors.values())
    return tuple(
        BlockCount(
            requests=part(report.requests, number), errors=part(errors, number), bytes=part(report.bytes, number)
        )
        for number in range(blocks)
    )


def tool_version(command: Sequence[str]) -> str:
    """First line of what the tool says of its version; ProfilerError where it can't be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProfilerError(f"{command[0]} can't be run: {error}") from None
    return (done.stdout + done.stderr).strip().partition("\n")[0]
