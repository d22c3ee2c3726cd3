"""`profiler record --off-cpu`: waiting beside CPU time, never mixed with it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from recording import PROFILER


def profiler(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROFILER, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)


def test_a_server_waits_beside_its_cpu_time(tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = profiler(
        tmp_path, "record", "--endpoint", "/hello", "--off-cpu", "--duration", "1", "--warmup", "0.5",
        "--symbols", "off", "--json", "-o", str(run),
    )  # fmt: skip
    assert done.returncode in (0, 5), done.stderr  # 5: a busy machine disturbs figures, not what is tested here
    cpu, waits = json.loads(done.stdout)
    assert (cpu["sampler"]["name"], cpu["sampler"]["clock"]) == ("exact", "cpu")
    assert (waits["sampler"]["name"], waits["sampler"]["clock"]) == ("exact-off-cpu", "wall")
    assert cpu["agreement"] is not None and waits["agreement"] is None
    assert waits["sampler"]["samples"] > 100

    shown = profiler(tmp_path, "show", str(run), "--sampler", "exact-off-cpu")
    assert "off-CPU wall time per request" in shown.stdout
    assert "epoll_wait" in shown.stdout
    assert "off-CPU" not in profiler(tmp_path, "show", str(run), "--sampler", "exact").stdout.split("quality")[0]

    scope = tmp_path / "waits.speedscope.json"
    kept = profiler(tmp_path, "export", str(run), "--sampler", "exact-off-cpu", "-o", str(scope))
    assert kept.returncode == 0, kept.stderr
    assert all("off-CPU wall time" in profile["name"] for profile in json.loads(scope.read_text())["profiles"])


def test_only_the_exact_sampler_takes_waits(tmp_path: Path) -> None:
    done = profiler(tmp_path, "record", "--endpoint", "/hello", "--off-cpu", "--sampler", "perf")
    assert done.returncode == 2
    assert "--off-cpu needs the exact sampler" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / ".profiler").exists()
