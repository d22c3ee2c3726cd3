"""The figures of a run for the terminal: header, quality lines, warnings."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from profiler.model.estimate import Estimate
from profiler.model.load import LoadResult
from profiler.model.run import Capture, RunMetadata, RunState
from profiler.views.summary import Summary

LABEL = 15


def figures(console: Console, metadata: RunMetadata, summary: Summary | None) -> None:
    """What was measured, at which load, and what a request costs."""
    head = summary.title if summary is not None else f"{metadata.target.kind} {metadata.target.name}"
    console.print(Text(head, style="bold"))
    if metadata.state is RunState.PARTIAL:
        console.print(Text("partial run: it was broken off, what was measured until then is kept", style="yellow"))
    for label, text in _figure_lines(metadata, summary):
        line(console, label, text)
    console.print()


def quality(console: Console, metadata: RunMetadata, summary: Summary | None) -> None:
    """How far the picture can be believed."""
    console.print(Text("quality", style="bold"))
    for label, text in _quality_lines(metadata, summary):
        line(console, label, text)


def warnings(console: Console, metadata: RunMetadata) -> None:
    """Every doubt, the grave ones first and in red."""
    for text in metadata.untrusted:
        console.print(Text(f"not to be trusted: {text}", style="bold red"))
    for text in metadata.warnings:
        if text not in metadata.untrusted:
            console.print(Text(f"warning: {text}", style="yellow"))


def line(console: Console, label: str, text: str) -> None:
    """A label and its text, wrapped under itself."""
    rows = Text(text).wrap(console, max(console.width - LABEL - 2, 20))
    for number, row in enumerate(rows):
        row.rstrip()
        console.print(Text(f"  {label if number == 0 else '':<{LABEL}}", style="dim"), row, sep="", soft_wrap=True)


def interval(estimate: Estimate, digits: int = 2) -> str:
    """`12.34 [12.10, 12.58]`; without an interval the value alone."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:,.{digits}f} (no interval)"
    return f"{estimate.value:,.{digits}f} [{estimate.low:,.{digits}f}, {estimate.high:,.{digits}f}]"


def _figure_lines(metadata: RunMetadata, summary: Summary | None) -> Iterator[tuple[str, str]]:
    loaded = metadata.load is not None
    if metadata.cpu is not None:
        unit = "µs per request" if loaded else "CPU seconds per second"
        undisturbed = ", measured without sampling" if any(not block.sampler for block in metadata.blocks) else ""
        yield "CPU", f"{interval(metadata.cpu, 2 if loaded else 4)} {unit}{undisturbed}"
    if summary is not None and summary.samples:
        # What the tables below divide; the words say CPU or wall time.
        yield "sampled", f"{summary.weight} by {summary.capture.sampler}"
    if metadata.rps is not None:
        yield "rate", f"{interval(metadata.rps, 0)} requests/s"
    if metadata.load is not None:
        yield "load", _load_line(metadata.load)
    target = metadata.target
    versions = ", ".join(f"{name} {version}" for name, version in list(target.packages.items())[:4])
    processes = _processes(len(target.processes))
    yield "target", " · ".join(part for part in (target.python, versions, processes) if part)
    yield "run", f"{metadata.id} · {metadata.created}"


def _processes(count: int) -> str:
    return "" if not count else "1 process" if count == 1 else f"{count} processes"


def _load_line(load: LoadResult) -> str:
    parts = [f"{load.connections} connections, {load.loop} loop"] if load.connections else []
    if load.http_version:
        parts.append(f"HTTP/{load.http_version.removeprefix('HTTP/')}")
    if load.latency_ms is not None:
        parts.append(f"p50 {load.latency_ms.p50:.2f} ms, p99 {load.latency_ms.p99:.2f} ms")
    if load.verdict:
        parts.append(load.verdict)
    return " · ".join([*parts, f"by {load.generator}"])


def _quality_lines(metadata: RunMetadata, summary: Summary | None) -> Iterator[tuple[str, str]]:
    for capture in metadata.captures:
        shown = summary is not None and summary.capture.sampler == capture.sampler
        mark = " (shown)" if shown and len(metadata.captures) > 1 else ""
        yield capture.sampler, f"{_samples(capture, summary if shown else None)}{mark}"
        yield "", "; ".join(_capture_parts(capture))
        if capture.distorted:
            yield "", f"distorted: {capture.distorted}"
    if not metadata.captures:
        yield "sampler", "none: no stacks were taken"
    load = metadata.load
    if load is not None:
        errors = ", ".join(f"{count} {name}" for name, count in load.errors.items() if count) or "none"
        reuse = (
            f"; {load.requests / load.connections_opened:,.0f} requests per connection"
            if load.connections_opened
            else ""
        )
        yield "errors", f"{errors} in {load.requests:,} requests{reuse}"
    marks = [mark for block in metadata.blocks for mark in block.marks]
    yield "restarts", ", ".join(marks) if marks else "none: the target's processes stayed the same"
    if metadata.target.access_log != "unknown":
        yield "access log", metadata.target.access_log


def _samples(capture: Capture, summary: Summary | None) -> str:
    inside = f", {summary.samples:,} of them in measured blocks" if summary is not None else ""
    lost = f"{capture.lost:,} lost" if capture.lost else "none lost"
    return f"{capture.samples:,} samples at {capture.hz:g} Hz{inside}, {lost}"


def _capture_parts(capture: Capture) -> Iterator[str]:
    if capture.agreement is not None:
        yield f"sampled / measured CPU {_percent(capture.agreement)}"
    if capture.overhead is not None:
        yield f"sampling cost {_percent(capture.overhead, sign='+')} CPU per request"
    if capture.sampler_cpu_s is not None:
        yield f"sampler used {capture.sampler_cpu_s:.2f} s of CPU itself"
    for name, share in capture.quality.items():
        yield f"{name.replace('_', ' ')} {share:.1%}"


def _percent(estimate: Estimate, sign: str = "") -> str:
    text = f"{100 * estimate.value:{sign}.1f}%"
    if estimate.low is not None and estimate.high is not None:
        text += f" [{100 * estimate.low:{sign}.1f}, {100 * estimate.high:{sign}.1f}]"
    return text
