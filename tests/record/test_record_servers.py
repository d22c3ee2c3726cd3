"""`profiler record` on every kind of server: real load, real stacks, the documented object."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiler.model.frame import LANGUAGES, Language
from profiler.runs import Run

SHORT = ("--endpoint", "/hello", "--duration", "1", "--warmup", "0.5", "--connections", "16")

# Folder of the app, further options, and whether the server's core is Rust.
SERVERS = {
    "django-bolt": ("bolt", (), True),
    "uvicorn": ("fastapi", (), False),
    "gunicorn": ("django", ("--target", "gunicorn"), False),
    "robyn": ("robyn", (), True),
    "granian": ("fastapi", ("--target", "granian"), True),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_is_recorded_with_native_and_kernel_frames(
    kind: str, apps: Path, tmp_path: Path, record_json: Callable[..., Any]
) -> None:
    folder, options, rust = SERVERS[kind]
    report = record_json(*SHORT, *options, "--sampler", "perf", cwd=apps / folder)
    assert report["schema"] == "profiler.record/1"
    assert report["target"]["kind"] == kind
    assert report["endpoint"]["path"] == "/hello"
    assert report["load"]["requests"] > 0
    assert not any(report["load"]["errors"].values())
    assert report["sampler"]["name"] == "perf"
    assert report["sampler"]["samples"] > 0
    for name in ("rps", "cpu_us_per_request", "agreement", "overhead"):
        assert set(report[name]) >= {"value", "low", "high", "n", "unit"}, name
    assert set(report["languages"]) == set(LANGUAGES)
    assert sum(report["languages"].values()) == pytest.approx(1)
    assert report["languages"]["kernel"] > 0
    run = Run(tmp_path / "run")
    assert sum(block.requests for block in run.metadata.blocks) == report["load"]["requests"]
    profile = run.profile("perf")
    assert len(profile.samples) == report["sampler"]["samples"]
    in_rust = [any(profile.frames[frame].language is Language.RUST for frame in stack) for stack in profile.stacks]
    share = sum(in_rust[stack] for stack in profile.samples.stack) / len(profile.samples)
    assert (share > 0.3) == rust


def test_without_a_project_the_bundled_app_is_recorded_and_said_so(record_json: Callable[..., Any]) -> None:
    report = record_json(*SHORT, "--sampler", "none")
    assert report["target"]["bundled"]
    assert report["sampler"] is None
    assert report["cpu_us_per_request"]["value"] > 0


def test_the_reference_server_is_recorded_with_its_switches_named(record_json: Callable[..., Any]) -> None:
    report = record_json(*SHORT, "--sampler", "none", "--set", "all=on,bodies=copy")
    assert report["target"]["kind"] == "hotpaths-server"
    assert "all=on,bodies=copy" in report["target"]["command"]
    assert report["load"]["requests"] > 0


def test_several_samplers_take_turns_and_are_never_merged(record_json: Callable[..., Any], tmp_path: Path) -> None:
    reports = record_json(*SHORT, "--sampler", "perf,py-spy")
    assert [report["sampler"]["name"] for report in reports] == ["perf", "py-spy"]
    run = Run(tmp_path / "run")
    conditions = {block.sampler for block in run.metadata.blocks}
    assert conditions == {"", "perf", "py-spy"}
    edges = sorted((block.start_ns, block.end_ns) for block in run.metadata.blocks)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(edges))
    perf_blocks = {block.index for block in run.metadata.blocks if block.sampler == "perf"}
    inside = run.profile("perf").samples.block
    assert set(inside[inside >= 0].tolist()) <= perf_blocks


def test_secrets_in_headers_and_environment_never_reach_the_run(
    record_json: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2-in-the-environment")
    record_json(*SHORT, "--sampler", "none", "--header", "Authorization: Bearer hunter2-in-a-header")
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"hunter2" in path.read_bytes()]
