"""`pytest --paired` as a user of any project meets it: real pytest, real fresh processes.

Where the figures themselves are not the point, the bodies are timers that give known figures, so that a busy machine
changes nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from microbench.paired.processes import derive_seed

QUICK = ("--paired-processes", "2", "--paired-max-seconds", "0.1", "--paired-seconds", "0.001")
HOT = ("--paired-cache", "hot")

PROJECT = """
def test_known(paired):
    result = paired.compare(paired.timed(lambda calls: calls * 300), paired.timed(lambda calls: calls * 100))
    if result is not None:
        assert result.verdict == "different"
        assert result.hot.saved.value == 200

def test_unpaired():
    raise AssertionError("not to be run under --paired")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    (tmp_path / "test_sums.py").write_text(PROJECT)
    return tmp_path


def run(folder: Path, *arguments: str, expect: int | None = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # Only the plugins in question: what else is installed beside them takes its time at each start.
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins = ("-p", "microbench.paired.plugin", "-p", "pytest_benchmark.plugin")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    output = done.stdout + done.stderr
    assert expect is None or done.returncode == expect, output
    return output


def results(folder: Path, *arguments: str, expect: int = 0) -> tuple[dict[str, Any], str]:
    output = run(folder, "--paired", "--paired-json", "out/paired.json", *arguments, expect=expect)
    return json.loads((folder / "out" / "paired.json").read_text()), output


def test_the_plugin_is_there_for_any_project() -> None:
    (entry,) = entry_points(group="pytest11", name="profiler_paired")
    assert entry.value == "microbench.paired.plugin"


def test_a_pair_is_measured_and_shown(project: Path) -> None:
    document, output = results(project, *QUICK, "--paired-seed", "77")
    (comparison,) = document["comparisons"]
    assert comparison["name"] == "test_sums.py::test_known"
    assert comparison["hot"]["verdict"] == "different"
    assert comparison["hot"]["ratio"]["value"] == pytest.approx(3)
    assert comparison["cold"]["before"]["n"] == len(comparison["processes"]) == 2
    assert comparison["stopped"] == "precise enough"
    assert comparison["seed"] == document["seed"] == 77
    hash_seeds = [process["hash_seed"] for process in comparison["processes"]]
    assert hash_seeds == [derive_seed(77, "test_sums.py::test_known", index, "hash") for index in (0, 1)]
    for words in ("1 passed, 1 deselected", "test_known", "different, faster", "hot", "cold", "seed 77"):
        assert words in output
    assert not list((project / "out").glob("*.draft"))


def test_without_the_option_the_pair_is_only_checked(project: Path) -> None:
    output = run(project, "-k", "known")
    assert "1 passed" in output
    assert "before ÷ after" not in output


def test_sides_that_differ_fail_in_any_mode(project: Path) -> None:
    (project / "test_sums.py").write_text("def test_it(paired):\n    paired.compare(str, repr, ('a',))\n")
    for mode in ((), ("--paired", *QUICK)):
        output = run(project, *mode, expect=1)
        assert "before and after differ" in output


def test_fixtures_parameters_and_closures_reach_the_fresh_process(project: Path) -> None:
    (project / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_addoption(parser): parser.addoption('--scale', type=int, default=1)\n"
        "@pytest.fixture\n"
        "def scale(request): return request.config.getoption('scale')\n"
    )
    (project / "test_sums.py").write_text(
        "import pytest\n"
        "@pytest.mark.paired(processes=3, cache='hot')\n"
        "@pytest.mark.parametrize('kind', ['a/b', 'c d'])\n"
        "def test_closure(paired, kind, scale):\n"
        "    held = [kind] * 100 * scale\n"
        "    result = paired.compare(lambda: [x for x in held], lambda: held[:], equal=lambda a, b: len(b) == 500)\n"
        "    assert result.cold is None and len(result.processes) == 3\n"
    )
    document, output = results(project, *QUICK, "--scale", "5", "test_sums.py")
    assert [entry["name"] for entry in document["comparisons"]] == [
        "test_sums.py::test_closure[a/b]",
        "test_sums.py::test_closure[c d]",
    ]
    assert "2 passed" in output


def test_statements_mixes_coroutines_and_native_timers(project: Path) -> None:
    (project / "test_sums.py").write_text(
        "async def one(x): return x\n"
        "async def two(x): return x\n"
        "def test_statement(paired):\n"
        "    paired.compare('f(x)', 'x.real', {'x': 1}, names={'f': abs}, setup='y = 1')\n"
        "def test_mix(paired):\n"
        "    paired.compare(str, repr, inputs=[(1,), (2.5,), (None,)])\n"
        "def test_coroutines(paired):\n"
        "    paired.compare(one, two, (1,))\n"
        "def test_native(paired):\n"
        "    paired.compare(paired.timed(lambda n: n * 300), paired.timed(lambda n: n * 100))\n"
    )
    document, _ = results(project, *QUICK)
    statement, mix, coroutines, native = document["comparisons"]
    assert statement["null"] == mix["null"] == "loop"
    assert coroutines["null"] == "call"
    assert native["null"] == "none"
    assert native["hot"]["saved"]["value"] == 200
    assert native["hot"]["ratio"]["value"] == pytest.approx(3)


def test_an_empty_body_reads_nothing_and_a_doubled_one_two(project: Path) -> None:
    (project / "test_sums.py").write_text(
        "def body(n):\n    for value in range(n): value + 1\n"
        "def doubled(n):\n    for value in range(n): value + 1\n    for value in range(n): value + 1\n"
        "def test_empty(paired): paired.compare('pass', 'pass')\n"
        "def test_doubled(paired): paired.compare(doubled, body, (300,))\n"
        "def test_same(paired): paired.compare(body, body, (300,))\n"
    )
    options = ("--paired-processes", "5", "--paired-max-seconds", "0.1", "--paired-seconds", "0.1", *HOT)
    document, _ = results(project, *options)
    empty, doubled, same = (entry["hot"] for entry in document["comparisons"])
    assert abs(empty["before"]["value"]) < 0.5
    assert empty["ratio"] is None
    assert empty["verdict"] != "different"
    assert doubled["ratio"]["value"] == pytest.approx(2.0, abs=0.1)
    assert doubled["verdict"] == "different"
    assert same["ratio"]["value"] == pytest.approx(1.0, abs=0.03)


def test_the_comparison_is_in_pytest_benchmarks_own_file(project: Path) -> None:
    run(project, "--paired", *QUICK, "--benchmark-json", "bench.json", "--benchmark-autosave")
    (entry,) = json.loads((project / "bench.json").read_text())["benchmarks"]
    paired = entry["extra_info"]["paired"]
    assert entry["fullname"] == paired["name"] == "test_sums.py::test_known"
    assert entry["stats"]["rounds"] == len(paired["processes"])
    gross = sorted(
        process["measured"]["hot"]["after"] + process["measured"]["hot"]["null"] for process in paired["processes"]
    )
    assert entry["stats"]["min"] * 1e9 == pytest.approx(gross[0], rel=1e-6)
    output = run(project, "--paired", *QUICK, "--benchmark-compare")
    assert "(0001_" in output and "(NOW)" in output


def test_a_slower_after_can_fail_the_test(project: Path) -> None:
    (project / "test_sums.py").write_text(
        "def test_it(paired):\n"
        "    paired.compare(paired.timed(lambda calls: calls * 100), paired.timed(lambda calls: calls * 102))\n"
        "def test_within_the_band(paired):\n"
        "    paired.compare(paired.timed(lambda calls: calls * 1000), paired.timed(lambda calls: calls * 1001))\n"
    )
    output = run(project, "--paired", "--paired-fail-slower", *QUICK, expect=1)
    assert "after is slower than before" in output
    assert "different, slower" in output


def test_a_fresh_process_that_fails_says_why(project: Path) -> None:
    (project / "test_sums.py").write_text(
        "def fragile(child):\n"
        "    if child: raise ZeroDivisionError('planted')\n"
        "def test_fragile(paired, request):\n"
        "    paired.compare(fragile, fragile, (request.config.getoption('paired_child') is not None,))\n"
    )
    output = run(project, "--paired", *QUICK, expect=1)
    assert "before it had measured" in output
    assert "ZeroDivisionError: planted" in output
    assert "subprocess.run" not in output  # no traceback of the plugin's own


@pytest.mark.parametrize(
    ("test", "options", "words"),
    [
        (
            "def test_it(paired):\n    paired.compare(len, len, ('',))\n    paired.compare(len, len, ('',))\n",
            (),
            "one pair",
        ),
        ("def test_it(paired):\n    paired.compare('pass', 'pass', null='nothing')\n", (), "null is 'nothing'"),
        (
            "import pytest\n@pytest.mark.paired(precise=1)\ndef test_it(paired):\n    paired.compare('pass', 'pass')\n",
            ("--paired", *QUICK),
            "not 'precise'",
        ),
        (
            "import pytest\n@pytest.mark.paired(cache='warm')\ndef test_it(paired):\n    paired.compare('1', '1')\n",
            ("--paired", *QUICK),
            "cache is 'warm'",
        ),
    ],
)
def test_wrong_use_in_a_test_is_explained(project: Path, test: str, options: tuple[str, ...], words: str) -> None:
    (project / "test_sums.py").write_text(test)
    assert words in run(project, *options, expect=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--paired-processes", "1"), "at least 2 processes"),
        (("--paired-processes", "9", "--paired-max-processes", "5"), "below"),
        (("--paired-seconds", "0"), "must be positive"),
        (("--paired-same=-1",), "negative"),
        (("--paired-cache", "warm"), "invalid choice"),
    ],
)
def test_wrong_options_are_refused(project: Path, options: tuple[str, ...], words: str) -> None:
    output = run(project, "--paired", *options, expect=4)
    assert words in output
    assert "Traceback" not in output


def test_how_tests_were_chosen_does_not_reach_the_fresh_process(project: Path) -> None:
    output = run(project, "--paired", *QUICK, "-k", "test_sums.py", "--lf", "test_sums.py", "-p", "cacheprovider")
    assert "1 passed" in output
    assert not (project / "{scratch}").exists()


def test_reports_of_the_run_are_written_once(project: Path) -> None:
    run(project, "--paired", *QUICK, "--junitxml", "report.xml")
    report = (project / "report.xml").read_text()
    assert 'tests="1"' in report
    assert "measured" not in report
