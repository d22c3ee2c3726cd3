"""wrk: a cross-check of throughput. Its latency is back-filled, so it is labelled and never compared."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from profiler.errors import UsageError
from profiler.load.external import ExternalSession, ToolReport, tool_version
from profiler.model.load import Latency, LoadSpec

_UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}
_UNITS_BYTES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}


class Wrk:
    name = "wrk"
    unmeasured: tuple[str, ...] = (
        "latency: wrk adds samples it never measured, so its percentiles are labelled and not for comparison",
        "bodies and statuses other than 2xx and 3xx are not told apart",
        "an offered rate",
    )

    def probe(self) -> str | None:
        if shutil.which("wrk") is None:
            return "wrk is not installed: apt-get install wrk"
        banner = self.version()
        # Other programs have that name too.
        return None if banner.startswith("wrk ") else f"the wrk on PATH is another program: it says {banner[:60]!r}"

    def start(self, spec: LoadSpec, log: Path) -> ExternalSession:
        if spec.rps is not None:
            raise UsageError("wrk can't offer a rate", hint="use the native generator")
        return ExternalSession(self, spec, log)

    def version(self) -> str:
        return tool_version(["wrk", "--version"]).partition("[")[0].strip()

    def command(self, spec: LoadSpec, seconds: int, folder: Path) -> list[str]:
        # In a script and not among the arguments, where every process of the machine could read a header's value.
        script = folder / "request.lua"
        script.touch(mode=0o600)
        script.write_text(_script(spec))
        return [
            "wrk", "--threads", "1", "--connections", str(spec.connections), "--duration", f"{seconds}s",
            "--timeout", f"{max(1, round(spec.timeout_s))}s", "--latency", "--script", str(script),
            spec.url.rstrip("/") + spec.endpoint.path,
        ]  # fmt: skip

    def read(self, output: str) -> ToolReport:
        total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m), ([\d.]+)(B|KB|MB|GB) read", output)
        if total is None:
            raise ValueError("no line of totals")
        errors = {}
        sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
        if sockets is not None:
            connect, read, write, timeout = map(int, sockets.groups())
            errors = {"connect": connect, "reset": read + write, "timeout": timeout}
        other = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
        bad = int(other[1]) if other else 0
        # wrk counts responses of another status among its requests; here requests are the good ones.
        return ToolReport(
            requests=int(total[1]) - bad,
            seconds=float(total[2]) * _UNITS_MS[total[3]] / 1e3,
            errors={name: count for name, count in {**errors, "status": bad}.items() if count},
            bytes=round(float(total[4]) * _UNITS_BYTES[total[5]]),
            latency_ms=_latency(output),
        )


def _script(spec: LoadSpec) -> str:
    """The request in Lua, with every byte of a string as its decimal escape."""

    def text(value: bytes) -> str:
        return '"' + "".join(f"\\{byte:03d}" for byte in value) + '"'

    lines = [f"wrk.method = {json.dumps(spec.endpoint.method)}"]
    lines.extend(
        f"wrk.headers[{text(name.encode())}] = {text(value.encode())}" for name, value in spec.endpoint.headers
    )
    if spec.endpoint.body:
        lines.append(f"wrk.body = {text(spec.endpoint.body)}")
    if not spec.keep_alive:
        lines.append('wrk.headers["Connection"] = "close"')
    return "\n".join(lines) + "\n"


def _latency(output: str) -> Latency | None:
    def value(pattern: str) -> float:
        found = re.search(pattern + r"\s+([\d.]+)(us|ms|s|m)\b", output)
        if found is None:
            raise ValueError("no latency")
        return float(found[1]) * _UNITS_MS[found[2]]

    line = re.search(r"Latency\s+([\d.]+)(us|ms|s|m)\s+\S+\s+([\d.]+)(us|ms|s|m)\b", output)
    if line is None:
        return None
    p99 = value("99%")
    return Latency(
        p50=value("50%"), p90=value("90%"), p99=p99, p999=p99,
        max=float(line[3]) * _UNITS_MS[line[4]], mean=float(line[1]) * _UNITS_MS[line[2]],
        label="uncorrected, with samples back-filled by wrk; its p99.9 is not known and p99 stands in its place",
    )  # fmt: skip
