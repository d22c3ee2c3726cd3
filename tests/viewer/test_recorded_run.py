"""From a recording to the screen: a real server's run, opened by the command, as speedscope shows it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from chromium import chromium, complaints, imported_by_speedscope, requested
from decoded import decode

from profiler.runs import Run, open_run
from profiler.viewer.assets import FOLDER

PLAIN = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "profiler", *map(str, arguments)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two seconds of the bundled app under load. A busy test machine may make its figures untrusted (exit code 5)."""
    folder = tmp_path_factory.mktemp("recorded")
    recording = command("record", "--endpoint", "/hello", "--sampler", "perf", "--duration", "2", "--warmup", "0.5",
                        "--output", folder / "run", "--json")  # fmt: skip
    done = subprocess.run(recording, cwd=folder, capture_output=True, env=PLAIN)
    assert done.returncode in (0, 5), done.stderr.decode()
    return open_run(str(folder / "run"))


def exported(run: Run, name: str, *options: str) -> bytes:
    done = subprocess.run(command("export", run.path, "--format", name, *options), capture_output=True, env=PLAIN)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_all_formats_hold_the_same_weight(run: Run) -> None:
    samples = run.profile().samples
    expected = int(samples.weight_ns[samples.block >= 0].sum())
    assert expected > 0
    for name in ("speedscope", "folded", "pprof", "firefox", "json"):
        assert sum(decode(name, exported(run, name)).values()) == expected, name


def test_folding_hides_plumbing_and_keeps_the_weight(run: Run) -> None:
    whole, folded = decode("folded", exported(run, "folded")), decode("folded", exported(run, "folded", "--fold"))
    assert sum(whole.values()) == sum(folded.values())
    assert max(map(len, folded)) <= max(map(len, whole))
    assert sum(map(len, folded)) < sum(map(len, whole))


def test_show_names_what_ran(run: Run) -> None:
    shown = subprocess.run(command("show", run.path), capture_output=True, text=True, env=PLAIN)
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= 80
    for part in ("GET /hello", "perf 499 Hz", "µs per request", "rust", "kernel", "sampled / measured CPU", "errors"):
        assert part in shown.stdout


def test_speedscope_shows_the_run_by_frame_name_and_weight(run: Run, tmp_path: Path) -> None:
    expected: Counter[str] = Counter()
    for stack, weight in decode("speedscope", exported(run, "speedscope", "--fold")).items():
        for name in set(stack):
            expected[name] += weight
    jsonschema.validate(
        json.loads(exported(run, "speedscope")), json.loads((FOLDER / "file-format-schema.json").read_bytes())
    )
    server = subprocess.Popen(command("open", run.path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=PLAIN)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().decode().strip()
        with chromium(tmp_path) as browser:
            browser.get(url)
            imported = imported_by_speedscope(browser)
            asked = [entry for entry in requested(browser) if entry.startswith("http")]
            assert complaints(browser) == []
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)
    assert server.returncode == 0
    assert all(entry.startswith("http://127.0.0.1:") for entry in asked)
    assert "all threads · django-bolt" in imported["profiles"][0]["name"]
    assert "plumbing folded" in imported["profiles"][0]["name"]
    seen = _totals(imported)
    for name, weight in expected.most_common(200):
        assert seen[name] == pytest.approx(weight, abs=10), name


def _totals(imported: dict) -> Counter[str]:  # type: ignore[type-arg]
    """Total nanoseconds by function name in the first profile, from speedscope's own events."""
    total: Counter[str] = Counter()
    opened: dict[str, list[float]] = {}
    for event in imported["profiles"][0]["events"]:
        name = imported["shared"]["frames"][event["frame"]]["name"]
        starts = opened.setdefault(name, [])
        if event["type"] == "O":
            starts.append(event["at"])
        else:
            start = starts.pop()
            # Recursion counts once: only the outermost call adds.
            if not starts:
                total[name] += event["at"] - start
    return total
