"""The documentation of the microbenchmarks: its example runs, its options exist and have the defaults it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from microbench.paired.options import PairedOptions

DOCUMENT = (Path(__file__).parents[2] / "docs" / "microbench.md").read_text()


def test_the_example_is_a_working_test(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.S)
    (tmp_path / "test_lookup.py").write_text(example)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    quick = ("--paired-processes", "2", "--paired-max-seconds", "0.1", "--paired-seconds", "0.001")
    for options, passed in (((), "3 passed"), (("--paired", *quick, "--paired-json", "all.json"), "3 passed")):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "microbench.paired.plugin", *options],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert passed in done.stdout, done.stdout + done.stderr
    comparisons = json.loads((tmp_path / "all.json").read_text())["comparisons"]
    assert [entry["cold"] is None for entry in comparisons] == [False, True, True]


def test_the_options_have_the_defaults_that_are_said() -> None:
    said = dict(re.findall(r"^\| `--paired-([a-z-]+)` \| ([\w.]+) \|", DOCUMENT, re.M))
    default = PairedOptions()
    for name in ("processes", "max-processes", "max-seconds", "seconds", "precision", "same", "cache", "gc"):
        value = getattr(default, name.replace("-", "_"))
        assert said[name] == (f"{value:g}" if isinstance(value, float) else str(value)), name
