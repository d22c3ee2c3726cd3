"""`pytest microbench` as pytest-benchmark's users run it: save, compare, fail, draw; and the rows of `--paired`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hotpaths.catalogue import OPTIMIZATIONS
from microbench.cases import COSTS, NATIVE, ROWS

ROOT = Path(__file__).parents[2]
ONE = ("-k", "(test_called and response_handlers-dict) or (test_awaited and hello) or (test_native and 27B)")


def suite(*arguments: str, expect: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins = ("microbench.paired.plugin", "pytest_benchmark.plugin", "pytest_timeout", "no:cacheprovider")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "microbench",
            *(part for name in plugins for part in ("-p", name)),
            *arguments,
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One saved run of the suites, everything in it, each benchmark as short as can be."""
    folder = tmp_path_factory.mktemp("benchmarks")
    suite("--benchmark-autosave", "--benchmark-storage", folder.as_uri(), "--benchmark-max-time", "0.001")
    return folder


def test_a_saved_run_has_every_side_of_every_optimization(storage: Path) -> None:
    (saved,) = storage.rglob("0001_*.json")
    found = json.loads(saved.read_text())["benchmarks"]
    sides = {(entry["params"]["optimization"], entry["params"]["case"], entry["params"]["side"]) for entry in found}
    assert sides >= {(*case, side) for case in COSTS for side in ("before", "after")}
    native = [entry for entry in found if "test_native" in entry["name"]]
    assert len(native) == len(NATIVE)
    assert all(entry["stats"]["min"] > 0 for entry in found)
    assert {entry["group"].partition(" ")[0] for entry in found} == {entry.slug for entry in OPTIMIZATIONS}


def test_a_run_is_compared_with_the_saved_one_and_drawn(storage: Path, tmp_path: Path) -> None:
    output = suite(
        *ONE, "--benchmark-compare", "--benchmark-storage", storage.as_uri(), "--benchmark-max-time", "0.001",
        "--benchmark-histogram", str(tmp_path / "drawn"),
    )  # fmt: skip
    for name in ("test_called[response_handlers-dict-before]", "test_awaited[trivially_async-hello-after]"):
        assert f"{name} (NOW)" in output
        assert f"{name} (0001_" in output
    drawings = list(tmp_path.glob("drawn-*.svg"))
    assert len(drawings) == 3
    assert all("<svg" in drawing.read_text() for drawing in drawings)


def test_a_regression_fails_the_run(storage: Path, tmp_path: Path) -> None:
    (saved,) = storage.rglob("0001_*.json")
    document = json.loads(saved.read_text())
    for entry in document["benchmarks"]:
        entry["stats"]["min"] /= 1000
    quicker = tmp_path / saved.parent.name / saved.name
    quicker.parent.mkdir()
    quicker.write_text(json.dumps(document))
    output = suite(
        *ONE, "--benchmark-compare", "--benchmark-compare-fail", "min:5%", "--benchmark-storage", tmp_path.as_uri(),
        "--benchmark-max-time", "0.001", expect=1,
    )  # fmt: skip
    assert "Performance has regressed" in output


def test_nothing_to_compare_with_is_a_warning(tmp_path: Path) -> None:
    output = suite(
        *ONE, "--benchmark-compare", "--benchmark-storage", tmp_path.as_uri(), "--benchmark-max-time", "0.001"
    )
    assert "INTERNALERROR" not in output


def test_paired_measures_one_row_per_optimization() -> None:
    output = suite("--paired", "--collect-only", "-q")
    rows = [line for line in output.splitlines() if "::" in line]
    assert rows == [f"microbench/test_pairs.py::test_pair[{'-'.join(row)}]" for row in ROWS]
    assert len(rows) == len(OPTIMIZATIONS)


def test_paired_can_measure_every_input() -> None:
    output = suite("--paired", "--every-input", "--collect-only", "-q")
    rows = [line for line in output.splitlines() if "::" in line]
    assert len(rows) > len(COSTS)
    assert all("test_pairs.py" in row for row in rows)


def test_a_row_is_measured(tmp_path: Path) -> None:
    output = suite(
        "--paired", "-k", "response_handlers", "--paired-processes", "2", "--paired-max-seconds", "0.1",
        "--paired-seconds", "0.01", "--paired-json", str(tmp_path / "paired.json"),
    )  # fmt: skip
    (comparison,) = json.loads((tmp_path / "paired.json").read_text())["comparisons"]
    assert comparison["hot"]["saved"]["value"] > 0
    assert comparison["cold"]["before"]["value"] > comparison["hot"]["before"]["value"] > 0
    assert "response_handlers-dict" in output
