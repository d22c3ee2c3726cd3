"""Results as JSON: a file of our own, and inside pytest-benchmark's, where a project keeps its history.

pytest-benchmark's file gets one entry per pair. Its statistics are those of `after`, the code in force, with one value
per process (gross, as pytest-benchmark's always are), so that `--benchmark-compare` sets two runs side by side;
`extra_info["paired"]` holds the whole comparison: costs, intervals, verdict, and every process.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from microbench.paired.comparison import SCHEMA, Comparison
from microbench.paired.options import PairedOptions

GROUP = "paired: after, one value per process"
_WANTS = ("benchmark_json", "benchmark_save", "benchmark_autosave", "benchmark_compare", "benchmark_histogram")


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """Plain JSON values, as they are stored."""
    return msgspec.to_builtins(comparison)  # type: ignore[no-any-return]


def write_json(path: Path, comparisons: Sequence[Comparison], options: PairedOptions) -> None:
    """All comparisons of one run of pytest, written whole or not at all."""
    document = {
        "schema": SCHEMA,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "implementation": platform.python_implementation(),
        "machine": f"{platform.machine()} {platform.system()} {platform.release()}",
        "seed": options.seed,
        "comparisons": [as_dict(comparison) for comparison in comparisons],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    draft.rename(path)


def add_to_pytest_benchmark(request: pytest.FixtureRequest, comparison: Comparison) -> None:
    """Hand the comparison to pytest-benchmark where it is installed and was asked to save, compare or draw."""
    option = request.config.option
    if not request.config.pluginmanager.hasplugin("pytest-benchmark") or not any(
        getattr(option, name, None) for name in _WANTS
    ):
        return
    clock = _ReplayedClock()
    request.node.add_marker(pytest.mark.benchmark(timer=clock, group=GROUP))
    benchmark = request.getfixturevalue("benchmark")
    benchmark.extra_info["paired"] = as_dict(comparison)
    gross = [entry.measured.hot.null + entry.measured.hot.after for entry in comparison.processes]
    clock.load(cost * comparison.calls * 1e-9 for cost in gross)
    benchmark.pedantic(_nothing, rounds=len(gross), iterations=comparison.calls)


class _ReplayedClock:
    """A timer that gives back durations already measured: pytest-benchmark reads it before and after each round."""

    __name__ = "process_medians"

    def __init__(self) -> None:
        self._readings: list[float] = []

    def load(self, durations: Any) -> None:
        now, readings = 0.0, []
        for duration in durations:
            readings += [now, now := now + duration]
        self._readings = readings[::-1]

    def __call__(self) -> float:
        return self._readings.pop() if self._readings else 0.0


def _nothing() -> None: ...
