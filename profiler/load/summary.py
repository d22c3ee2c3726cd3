"""The windows of one generator's life → its `LoadResult`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from profiler.load import latency
from profiler.load.counts import add_errors, nonzero
from profiler.load.verdict import judge
from profiler.model.block import BlockCount, EndpointCount, Window
from profiler.model.load import Account, EndpointResult, Headroom, Latency, LoadResult, LoadSpec


class Life(msgspec.Struct, kw_only=True):
    """What is known of a generator so far."""

    spec: LoadSpec
    generator: str
    version: str
    warm: bool = False
    steady: bool = False
    warm_up_s: float = 0.0
    warm_requests: int = 0
    warm_up_errors: dict[str, int] = {}
    blocks: list[BlockCount] = []
    window_ns: int = 0
    done: dict[str, Any] | None = None
    warnings: list[str] = []

    def add_window(self, window: Window, counts: Sequence[BlockCount], *, late_ns: int) -> None:
        self.blocks.extend(counts)
        self.window_ns += window.block_ns * window.blocks
        if late_ns:
            self.warnings.append(
                f"window {window.index} was announced {late_ns / 1e6:.0f} ms after its start; its first block is short"
            )


def sum_up(life: Life) -> LoadResult:
    """Everything over the measured windows, the verdict included."""
    spec, blocks = life.spec, life.blocks
    scheduled = spec.rps is not None
    endpoints = [_endpoint(spec, number, blocks) for number in range(len(spec.endpoints))]
    service = _whole(block.endpoints for block in blocks)
    response = latency.merge(count.corrected for block in blocks for count in block.endpoints)
    uncorrected = latency.describe(service, corrected=False)
    measured = latency.describe(response, corrected=True) if scheduled else uncorrected
    requests = sum(block.requests for block in blocks)
    headroom = measure_headroom(life, uncorrected)
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    if headroom is not None:
        verdict, reasons = judge(
            headroom,
            rate=spec.rps,
            p99_ms=measured.p99 if measured else None,
        )
    done = life.done or {}
    opened = int(done.get("opened", 0))
    account = _account(done)
    return LoadResult(
        generator=life.generator,
        version=life.version,
        loop=f"open, {spec.arrivals}" if scheduled else "closed",
        connections=spec.connections,
        requests=requests,
        seconds=life.window_ns / 1e9,
        errors=add_errors(count.errors for block in blocks for count in block.endpoints),
        bytes=sum(block.bytes for block in blocks),
        latency_ms=measured,
        uncorrected_ms=uncorrected if scheduled else None,
        histograms=_named(service, response),
        connections_opened=opened,
        http_version=", ".join(done.get("http", ())),
        generator_cpu_ns=sum(block.generator_cpu_ns for block in blocks),
        steady=life.steady,
        warm_up_s=life.warm_up_s,
        verdict=verdict,
        reasons=reasons,
        offered=sum(block.offered for block in blocks),
        offered_rps=spec.rps,
        endpoints=tuple(endpoints) if len(endpoints) > 1 else (),
        requests_per_connection=account.completed / opened if account and opened else None,
        headroom=headroom,
        account=account,
        warnings=(*life.warnings, *_warnings(life, done, account)),
    )


def _whole(parts: Any) -> str:
    return latency.merge(count.uncorrected for counts in parts for count in counts)


def _endpoint(spec: LoadSpec, number: int, blocks: Sequence[BlockCount]) -> EndpointResult:
    counts: list[EndpointCount] = [block.endpoints[number] for block in blocks]
    service = latency.merge(count.uncorrected for count in counts)
    response = latency.merge(count.corrected for count in counts)
    uncorrected = latency.describe(service, corrected=False)
    corrected = latency.describe(response, corrected=True)
    return EndpointResult(
        path=spec.endpoints[number].path.split("?", 1)[0],
        method=spec.endpoints[number].method,
        requests=sum(count.requests for count in counts),
        bytes=sum(count.bytes for count in counts),
        errors=add_errors(count.errors for count in counts),
        latency_ms=corrected if spec.rps is not None else uncorrected,
        uncorrected_ms=uncorrected if spec.rps is not None else None,
        histograms=_named(service, response),
    )


def _named(uncorrected: str, corrected: str) -> dict[str, str]:
    named = {"uncorrected": uncorrected, "corrected": corrected}
    return {name: histogram for name, histogram in named.items() if histogram}


def measure_headroom(life: Life, service: Latency | None) -> Headroom | None:
    """None where nothing was measured."""
    blocks, elapsed = life.blocks, life.window_ns
    if not blocks or not elapsed:
        return None
    requests = sum(block.requests for block in blocks)
    cpu = sum(block.generator_cpu_ns for block in blocks)
    depth = sum(block.depth for block in blocks) / len(blocks)
    lag = latency.describe(latency.merge(block.lag for block in blocks), corrected=False)
    errors = sum(block.errors for block in blocks)
    # Requests that failed were in flight too, for times that are not in the histogram.
    little = requests / (elapsed / 1e9) * service.mean / 1e3 / depth if service and depth and not errors else None
    return Headroom(
        busy=cpu / elapsed,
        starved=sum(block.generator_wait_ns for block in blocks) / elapsed,
        cpu_us_per_request=cpu / 1e3 / requests if requests else None,
        lag_p99_ms=lag.p99 if lag else None,
        lag_mean_ms=lag.mean if lag else None,
        depth=depth,
        little=little,
        rate_ratio=_answered(blocks) / (life.spec.rps * elapsed / 1e9) if life.spec.rps is not None else None,
    )


def _answered(blocks: Sequence[BlockCount]) -> int:
    """Requests with an answer of whatever kind: a rate can be held with wrong ones."""
    wrong = add_errors(count.errors for block in blocks for count in block.endpoints)
    return sum(block.requests for block in blocks) + wrong.get("status", 0) + wrong.get("body", 0)


def _account(done: dict[str, Any]) -> Account | None:
    if "offered" not in done:
        return None
    return Account(
        offered=done["offered"],
        completed=done["completed"],
        errors=nonzero(done["errors"]),
        in_flight=done["in_flight"],
    )


def _warnings(life: Life, done: dict[str, Any], account: Account | None) -> list[str]:
    warnings = []
    if life.warm and not life.steady:
        warnings.append(f"the request rate was still not steady after {life.warm_up_s:.1f} s of warm-up")
    if account is not None and not account.balanced:
        warnings.append(f"requests are not accounted for: {account}")
    if account is not None and done["opened"] < life.spec.connections:
        warnings.append(f"only {done['opened']} of {life.spec.connections} connections could be opened")
    if done.get("descriptor_limit"):
        warnings.append("connections failed at the limit of open files; raise it with `ulimit -n` or use fewer")
    if done.get("address_limit"):
        warnings.append("connections failed because the local ports were used up; keep connections alive or use fewer")
    opened = done.get("opened", 0)
    if life.spec.keep_alive and account and opened > 2 * life.spec.connections and account.completed < 2 * opened:
        warnings.append(
            f"the server closes the connection after almost every request ({account.completed} requests on {opened} "
            "connections), although it was asked to keep it"
        )
    if done.get("surplus"):
        warnings.append(f"{done['surplus']} bytes came that nobody had asked for: a Content-Length is too small")
    return warnings
