"""Locust with the user's own locustfile: `--load locust:FILE`. Scripted users, a closed loop for each of them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from profiler.errors import UsageError
from profiler.load.external import ExternalSession, ToolReport
from profiler.model.load import Latency, LoadSpec


class Locust:
    name = "locust"
    unmeasured: tuple[str, ...] = (
        "its percentiles are whole milliseconds below 100 and two digits above",
        "bytes on the wire",
        "a rate: its users wait for each answer",
        "it costs ten times the CPU of the native generator for each request, and may be the limit itself",
    )

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    def probe(self) -> str | None:
        if importlib.util.find_spec("locust") is None:
            return f"locust is not installed here: {sys.executable} -m pip install locust"
        return None

    def start(self, spec: LoadSpec, log: Path) -> ExternalSession:
        if self._file is None:
            raise UsageError("locust needs a file of yours", hint="write it like --load locust:locustfile.py")
        if not self._file.is_file():
            raise UsageError(f"there is no locustfile {self._file}")
        if spec.rps is not None:
            raise UsageError("locust can't offer a rate", hint="use the native generator")
        return ExternalSession(self, spec, log)

    def version(self) -> str:
        return importlib.metadata.version("locust")

    def command(self, spec: LoadSpec, seconds: int, folder: Path) -> list[str]:
        users = str(spec.connections)
        return [
            sys.executable, "-m", "locust", "-f", str(self._file), "--headless", "--json", "--host", spec.url,
            "--users", users, "--spawn-rate", users, "--run-time", f"{seconds}s", "--stop-timeout", "2",
            "--exit-code-on-error", "0", "--loglevel", "WARNING",
        ]  # fmt: skip

    def read(self, output: str) -> ToolReport:
        entries: list[dict[str, Any]] = msgspec.json.decode(output)
        if not entries:
            raise ValueError("not one request in its results")
        times: Counter[float] = Counter()
        for entry in entries:
            times.update({float(ms): count for ms, count in entry["response_times"].items()})
        total = sum(entry["num_requests"] for entry in entries)
        failures = sum(entry["num_failures"] for entry in entries)
        begin = min(entry["start_time"] for entry in entries)
        end = max(entry["last_request_timestamp"] for entry in entries)
        return ToolReport(
            requests=total - failures,
            seconds=max(end - begin, 1e-3),
            errors={"status": failures} if failures else {},
            latency_ms=_latency(times, entries),
        )


def _latency(times: Counter[float], entries: list[dict[str, Any]]) -> Latency | None:
    count = sum(times.values())
    if not count:
        return None

    def at(share: float) -> float:
        seen = 0
        for value in sorted(times):
            seen += times[value]
            if seen >= share * count:
                return value
        return max(times)

    mean = sum(entry["total_response_time"] for entry in entries) / count
    return Latency(
        p50=at(0.5), p90=at(0.9), p99=at(0.99), p999=at(0.999), mean=mean,
        max=max(entry["max_response_time"] or 0 for entry in entries),
        label="uncorrected, rounded by locust, of the last window",
    )  # fmt: skip
