"""What `profiler load` shows: a table of steps, or one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from profiler.load.drive import Driven
from profiler.model.load import Latency, LoadResult, LoadSpec

LOAD_SCHEMA = "profiler.load/1"


def load_object(specs: Sequence[LoadSpec], driven: Sequence[Driven]) -> dict[str, Any]:
    """Header values, bodies and queries are left out: they may hold secrets."""
    spec = specs[0]
    return {
        "schema": LOAD_SCHEMA,
        "url": spec.url,
        "endpoints": [
            {"method": endpoint.method, "path": endpoint.path.split("?", 1)[0], "weight": endpoint.weight}
            for endpoint in spec.endpoints
        ],
        "interrupted": driven[-1].interrupted,
        "steps": [
            {
                "connections": step_spec.connections,
                "rps": step.result.requests / step.result.seconds if step.result.seconds else None,
                "result": step.result,
                "block_seconds": step.block_s,
                "blocks": step.blocks,
            }
            for step_spec, step in zip(specs, driven, strict=False)
        ],
    }


def print_steps(console: Console, specs: Sequence[LoadSpec], driven: Sequence[Driven]) -> None:
    """One row per step, then the verdict of each, its errors and warnings."""
    table = Table(box=None, pad_edge=False)
    for heading in ("conns", "offered", "req/s", "p50 ms", "p90 ms", "p99 ms", "max ms", "errors"):
        table.add_column(heading, justify="right")
    table.add_column("cost µs", justify="right")
    table.add_column("verdict")
    for spec, step in zip(specs, driven, strict=False):
        table.add_row(*_row(spec, step.result))
    console.print(table)
    console.print("offered: requests per second; cost: CPU time of the generator for each request", style="dim")
    for step in driven:
        _print_details(console, step.result)
    if driven[-1].interrupted:
        console.print("interrupted: what was measured until then is shown")


def _row(spec: LoadSpec, result: LoadResult) -> tuple[str, ...]:
    latency = result.latency_ms
    percentiles = [f"{v:,.2f}" for v in (latency.p50, latency.p90, latency.p99, latency.max)] if latency else ["–"] * 4
    cost = result.headroom.cpu_us_per_request if result.headroom else None
    return (
        str(spec.connections),
        f"{spec.rps:,.0f}" if spec.rps else "closed",
        f"{result.requests / result.seconds:,.0f}" if result.seconds else "–",
        *percentiles,
        f"{sum(result.errors.values()):,}",
        f"{cost:.1f}" if cost is not None else "–",
        result.verdict or "–",
    )


def _print_details(console: Console, result: LoadResult) -> None:
    if result.latency_ms is not None:
        console.print(f"latency: {_kind(result.latency_ms)}, over {result.seconds:.1f} s")
    if result.uncorrected_ms is not None:
        console.print(f"  from the actual start: p99 {result.uncorrected_ms.p99:,.2f} ms")
    for endpoint in result.endpoints:
        p99 = f"p99 {endpoint.latency_ms.p99:,.2f} ms" if endpoint.latency_ms else "no answer"
        console.print(f"  {endpoint.method} {endpoint.path}: {endpoint.requests:,} requests, {p99}", markup=False)
    if result.errors:
        console.print("errors: " + ", ".join(f"{count:,} {name}" for name, count in sorted(result.errors.items())))
    if result.requests_per_connection is not None:
        console.print(f"HTTP/{result.http_version}, {result.requests_per_connection:,.1f} requests per connection")
    if result.account is not None:
        account = result.account
        console.print(
            f"account: {account.offered:,} offered = {account.completed:,} completed + "
            f"{sum(account.errors.values()):,} errors + {account.in_flight:,} in flight at the end"
        )
    if result.verdict:
        console.print(f"{result.verdict}: {'; '.join(result.reasons)}")
    for sentence in result.unmeasured:
        console.print(f"not measured: {sentence}", style="dim", markup=False)
    for warning in result.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)


def _kind(latency: Latency) -> str:
    plain = "from the intended start" if latency.corrected else "uncorrected (a closed loop has no schedule)"
    return latency.label or plain
