"""Recordings as a user makes them: the command in a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recording import PROFILER, Finished

APPS = Path(__file__).parents[2] / "hotpaths" / "apps"


@pytest.fixture(scope="session")
def apps() -> Path:
    return APPS


@pytest.fixture
def profiler_command(tmp_path: Path) -> Callable[..., Finished]:
    """Run `profiler …` to its end; (exit code, standard output, standard error)."""

    def run(*arguments: str, cwd: Path = tmp_path) -> Finished:
        done = subprocess.run(
            [*PROFILER, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def record_json(profiler_command: Callable[..., Finished], tmp_path: Path) -> Callable[..., Any]:
    """Record with `--json` into the test's folder; the object printed. 5 (not to be trusted) is accepted: how well
    figures agree on a busy machine is no business of these tests."""

    def run(*arguments: str, cwd: Path = tmp_path) -> Any:
        options = ["--json", "-o", str(tmp_path / "run")]
        done = profiler_command("record", *options, *arguments, cwd=cwd)
        assert done.returncode in (0, 5), f"{done.returncode}\n{done.stderr}"
        return json.loads(done.stdout)

    return run
