"""What can go wrong is one clear line, the right exit code, and nothing left behind."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from recording import PROFILER, Finished

SHORT = ("--duration", "1", "--warmup", "0.5", "--connections", "8", "--sampler", "none")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--endpoint", "/nowhere"), 3, "404"),
        (("--endpoint", "/hello", "--expect", "200:Goodbye"), 3, "Goodbye"),
        (("--endpoint", "hello"), 2, "begins with /"),
        (("--pid", "4194303", "--load", "none"), 3, "4194303"),
        (("--pid", "1"), 2, "--url"),
        (("--sampler", "dtrace"), 2, "dtrace"),
        (("--load", "siege"), 2, "siege"),
        (("--load", "none", "--", "/no/such/program"), 2, "/no/such/program"),
        (("--load", "none", "--rps", "5"), 2, "--rps"),
        (("--target", "robyn", "--app", "nowhere.py"), 2, "nowhere.py"),
        (("--python", "/no/such/python"), 2, "/no/such/python"),
        (("-o", "/proc/nowhere/run"), 2, "/proc/nowhere"),
    ],
)
def test_one_line_and_the_right_exit_code(
    profiler_command: Callable[..., Finished], tmp_path: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    done = profiler_command("record", *SHORT, *arguments)
    assert done.returncode == code, done.stderr
    assert text in done.stderr
    assert not list((tmp_path / ".profiler").rglob("*.json"))
    assert not list((tmp_path / ".profiler").rglob(".unsealed*"))


def test_a_server_that_ends_at_start_shows_its_last_words(
    profiler_command: Callable[..., Finished], tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(
        "from fastapi import FastAPI\napp = FastAPI()\nraise SystemExit('no database today')\n"
    )
    done = profiler_command("record", *SHORT)
    assert done.returncode == 3
    assert "no database today" in done.stderr


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROFILER, "record", *arguments], cwd=folder, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_measuring_keeps_a_partial_run(tmp_path: Path, signum: signal.Signals) -> None:
    options = ("--endpoint", "/hello", "--duration", "60", "--warmup", "0.5", "--sampler", "perf", "-o", "run")
    with start(tmp_path, *options) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "2 of" in line and "windows" in line:
                break
        process.send_signal(signum)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "partial" in errors
    assert output == ""
    metadata = json.loads((tmp_path / "run/run.json").read_text())
    assert metadata["state"] == "partial"
    assert metadata["blocks"]
    assert any(warning.startswith("broken off") for warning in metadata["warnings"])


def test_an_interrupt_before_measuring_leaves_nothing(tmp_path: Path) -> None:
    with start(tmp_path, "--endpoint", "/hello", "--warmup", "30", "--sampler", "perf", "-o", "run") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("warming up"):
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []
