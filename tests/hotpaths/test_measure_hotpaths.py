"""The command that measures the reference server beside Django-Bolt runs, and keeps what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "measure-hotpaths"


def test_every_variant_is_measured_in_every_replicate(tmp_path: Path) -> None:
    kept = tmp_path / "trials.json"
    few = ["--replicates", "2", "--seconds", "1", "--warmup", "1", "--variants", "none,all,django-bolt,robyn"]
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), *few, "--seed", "1", "--json", str(kept)], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    record = json.loads(kept.read_text())
    measured = [(trial["replicate"], trial["variant"]) for trial in record["trials"]]
    names = ("none", "all", "django-bolt", "robyn")
    assert sorted(measured) == sorted((replicate, name) for replicate in (0, 1) for name in names)
    assert all(0 < trial["cpu_seconds"] < 2 * trial["seconds"] and trial["requests"] > 0 for trial in record["trials"])
    assert record["seed"] == 1
    assert all(name in ended.stdout for name in names)
