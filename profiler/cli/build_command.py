"""`profiler build PACKAGE[==VERSION]`: names for a stripped Rust extension, by rebuilding it for profiling only."""

from __future__ import annotations

import argparse
import sys

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from profiler.cli import arguments as values
from profiler.cli.build_check import check_overlay, describe_check
from profiler.cli.console import print_json, result_console, status_console
from profiler.experiments.pair import PairResult
from profiler.overlays import Overlay, build_overlay

# Measured on two cores for Django-Bolt 0.13: fat LTO over one codegen unit takes most of it.
USUAL_MINUTES = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("package", metavar="PACKAGE[==VERSION]", help="default version: the installed one")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the target (default: this one)")
    parser.add_argument("--again", action="store_true", help="build even where it is cached")
    parser.add_argument(
        "--check", action="store_true", help="then measure it against the published wheel, on the app found here"
    )
    parser.add_argument("--endpoint", type=values.endpoint_path, default="/hello", help="of the check (default /hello)")
    parser.add_argument("--pairs", type=values.count, default=6, help="trials of either in the check (default 6)")
    parser.add_argument("--duration", type=values.positive, default=4.0, metavar="S", help="of each trial (default 4)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(namespace: argparse.Namespace) -> int:
    package, _, version = namespace.package.partition("==")
    overlay = _build(package, version or None, namespace.python, again=namespace.again)
    checked = _check(overlay, namespace) if namespace.check else None
    if namespace.json:
        print_json({"schema": "profiler.build/1", **_fields(overlay), "check": checked})
        return 0
    console = result_console()
    console.print(f"{overlay.package} {overlay.version} with symbols: {overlay.path}", markup=False, soft_wrap=True)
    console.print(f"built in {overlay.seconds:.0f} s with {overlay.compiler}", markup=False)
    for note in overlay.notes:
        console.print(f"note: {note}", markup=False)
    if checked is not None:
        console.print(describe_check(checked), markup=False)
    console.print("`profiler record` uses it by itself where this version is installed; --symbols off does not")
    return 0


def _build(package: str, version: str | None, python: str, *, again: bool) -> Overlay:
    console = status_console()
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[crates]}"),
        TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    task = bar.add_task(f"building {package}", total=None, crates="")
    said = False

    def show(text: str, compiled: int, total: int) -> None:
        nonlocal said
        if not said:
            console.print(
                f"building {package} with symbols, for profiling only; the first time this takes some "
                f"{USUAL_MINUTES} minutes on two cores"
            )
            said = True
        crates = f"{compiled} of at most {total} crates" if total else ""
        bar.update(task, total=total or None, completed=compiled, crates=crates, description=text[:48])

    with bar:
        return build_overlay(package, version, python, show, again=again)


def _check(overlay: Overlay, namespace: argparse.Namespace) -> PairResult:
    return check_overlay(
        overlay,
        namespace.python,
        endpoint=namespace.endpoint,
        pairs=max(2, namespace.pairs),
        duration_s=namespace.duration,
        console=status_console(),
    )


def _fields(overlay: Overlay) -> dict[str, object]:
    return {name: getattr(overlay, name) for name in overlay.__struct_fields__}
