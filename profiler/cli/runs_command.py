"""`profiler runs`: what has been recorded here."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from profiler.cli.console import print_json, result_console, status_console
from profiler.model.run import RunMetadata
from profiler.runs import list_runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, help="where to look (default .profiler/runs)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(namespace: argparse.Namespace) -> int:
    runs, damaged = list_runs(namespace.folder)
    if namespace.json:
        rows = [{"run": str(entry.path), **_row(entry.metadata)} for entry in runs]
        print_json({"schema": "profiler.runs/1", "runs": rows, "damaged": damaged})
        return 0
    for line in damaged:
        status_console().print(f"warning: {line}", style="yellow", markup=False)
    if not runs:
        status_console().print("no runs yet; record one: profiler record --endpoint /hello")
        return 0
    table = Table("run", "target", "endpoint", "CPU", "requests/s", "sampler", "state", box=None, pad_edge=False)
    for entry in runs:
        row = _row(entry.metadata)
        columns = ("id", "target", "endpoint", "cpu", "rps", "samplers", "state")
        table.add_row(*(shorten(row[key]) for key in columns))
    result_console().print(table)
    return 0


def shorten(text: str, width: int = 36) -> str:
    """The text, cut in the middle where it is long: attached processes are named by their whole command."""
    return text if len(text) <= width else f"{text[: width // 2]}…{text[-(width // 2 - 1) :]}"


def _row(metadata: RunMetadata) -> dict[str, str]:
    cpu = metadata.cpu
    return {
        "id": metadata.id,
        "created": metadata.created,
        "target": f"{metadata.target.kind} {metadata.target.name}",
        "endpoint": metadata.endpoint.path if metadata.endpoint is not None else "",
        "cpu": "" if cpu is None else f"{cpu.value:.2f} {'µs/req' if metadata.load is not None else 'CPU s/s'}",
        "rps": "" if metadata.rps is None else f"{metadata.rps.value:,.0f}",
        "samplers": ", ".join(f"{capture.sampler} {capture.hz:g} Hz" for capture in metadata.captures),
        "state": metadata.state.value,
    }
