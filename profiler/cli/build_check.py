"""`profiler build --check`: does the overlay run as fast as the published wheel? Trials of both in turn, measured."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console

from profiler.capture import CaptureOptions, record
from profiler.capture.machine import default_cpu_sets
from profiler.experiments.pair import PairResult, compare_pair
from profiler.load import Tick
from profiler.model.load import Endpoint
from profiler.model.run import RunMetadata
from profiler.overlays import Overlay
from profiler.targets import TargetSpec

WHEEL, OVERLAY = "wheel", "overlay"
# Closer than this is the same for a picture's purpose; the interval has to lie inside.
SAME_WITHIN = 0.02


class _Silence:
    """Progress of single trials is not shown: the pairs are."""

    def phase(self, text: str) -> None: ...

    def advance(self, done: int, total: int) -> None: ...

    def tick(self, tick: Tick) -> None: ...


def check_overlay(
    overlay: Overlay, python: str, *, endpoint: str, pairs: int, duration_s: float, console: Console
) -> PairResult:
    """Record the project in the current folder with and without the overlay, each trial on a fresh server.

    Raises:
        ProfilerError: as `record`.
    """
    server_cpus, client_cpus = default_cpu_sets()
    with tempfile.TemporaryDirectory(prefix="profiler-check-") as folder:
        number = 0

        def trial(name: str) -> RunMetadata:
            nonlocal number
            number += 1
            options = CaptureOptions(
                target=TargetSpec(folder=Path.cwd(), python=python, cpus=server_cpus),
                endpoint=Endpoint(path=endpoint),
                samplers=("none",),
                symbols=overlay.path if name == OVERLAY else "off",
                duration_s=duration_s,
                client_cpus=client_cpus,
                output=Path(folder) / f"{number}-{name}",
            )
            return record(options, _Silence()).metadata

        return compare_pair(
            trial,
            WHEEL,
            OVERLAY,
            pairs=pairs,
            seed=0,
            same_within=SAME_WITHIN,
            progress=lambda done, total, name: console.print(f"trial {done + 1} of {total}: {name}", style="dim"),
        )


def describe_check(result: PairResult) -> str:
    """One line with both costs, the change with its interval, and the verdict."""
    change = result.change
    interval = "" if change.low is None else f" [{change.low:+.1%}, {change.high:+.1%}]"
    wheel, overlay = (sum(costs) / len(costs) for costs in (result.base_cpu, result.variant_cpu))
    return (
        f"wheel {wheel:.2f}, overlay {overlay:.2f} µs per request: {change.value:+.1%}{interval}, "
        f"{change.n} pairs; {result.verdict.value} (same is within ±{SAME_WITHIN:.0%})"
    )
