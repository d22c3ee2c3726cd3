"""oha, when it is on PATH: a second opinion with its own percentiles, uncorrected."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from profiler.errors import UsageError
from profiler.load.external import ExternalSession, ToolReport, tool_version
from profiler.model.load import Latency, LoadSpec


class Oha:
    name = "oha"
    unmeasured: tuple[str, ...] = (
        "latency from the intended start: its connections wait for each other, also with a rate",
        "bodies are not verified",
    )

    def probe(self) -> str | None:
        if shutil.which("oha") is None:
            return "oha is not on PATH: cargo install oha"
        banner = self.version()
        return None if banner.startswith("oha ") else f"the oha on PATH is another program: it says {banner[:60]!r}"

    def start(self, spec: LoadSpec, log: Path) -> ExternalSession:
        if spec.endpoint.headers:
            raise UsageError("oha takes headers only as arguments, where other users of the machine can read them")
        return ExternalSession(self, spec, log)

    def version(self) -> str:
        return tool_version(["oha", "--version"])

    def command(self, spec: LoadSpec, seconds: int, folder: Path) -> list[str]:
        newer = "--output-format" in _help()
        command = [
            "oha", "--no-tui", *(("--output-format", "json") if newer else ("--json",)),
            "--method", spec.endpoint.method, "-c", str(spec.connections), "-z", f"{seconds}s", "--redirect", "0",
        ]  # fmt: skip
        if spec.rps is not None:
            command += ["-q", str(round(spec.rps))]
        if not spec.keep_alive:
            command.append("--disable-keepalive")
        if spec.endpoint.body:
            body = folder / "body"
            body.write_bytes(spec.endpoint.body)
            command += ["-D", str(body)]
        return [*command, spec.url.rstrip("/") + spec.endpoint.path]

    def read(self, output: str) -> ToolReport:
        found: dict[str, Any] = msgspec.json.decode(output)
        summary, percentiles = found["summary"], found["latencyPercentiles"]
        statuses: dict[str, int] = found["statusCodeDistribution"]
        good = sum(count for status, count in statuses.items() if status.startswith("2"))
        # Requests that the end of the run cut off are no errors of the server.
        failures = {k: v for k, v in found["errorDistribution"].items() if k != "aborted due to deadline"}
        errors = {"status": sum(statuses.values()) - good, "reset": sum(failures.values())}
        return ToolReport(
            requests=good,
            seconds=float(summary["total"]),
            errors={name: count for name, count in errors.items() if count},
            bytes=int(summary["totalData"] or 0),
            latency_ms=_latency(summary, percentiles) if good else None,
        )


def _latency(summary: dict[str, float], percentiles: dict[str, float]) -> Latency:
    return Latency(
        p50=percentiles["p50"] * 1e3, p90=percentiles["p90"] * 1e3, p99=percentiles["p99"] * 1e3,
        p999=percentiles["p99.9"] * 1e3, max=summary["slowest"] * 1e3, mean=summary["average"] * 1e3,
        label="uncorrected, of the last window",
    )  # fmt: skip


def _help() -> str:
    return subprocess.run(["oha", "--help"], capture_output=True, text=True, timeout=20).stdout
