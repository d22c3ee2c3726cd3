"""scalene on a real script, and what it says of programs it can't see into."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from profiler.errors import SamplerError
from profiler.model.launch import Launch
from profiler.model.load import Endpoint
from profiler.model.scalene import ScaleneSummary
from profiler.samplers import find_sampler
from profiler.samplers.base import SamplerOptions
from profiler.samplers.scalene import cpu_ticks, summarise
from profiler.targets import TargetSpec, start_target

APPS = Path(__file__).resolve().parents[2] / "hotpaths" / "apps"
OPTIONS = SamplerOptions(hz=100)
PROGRAM = """
import sys
print("ready", *sys.argv[1:], flush=True)
while True:
    total = sum([i * i for i in range(20000)])
"""


def started(argv: tuple[str, ...], env: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(argv, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("how", [("program.py",), ("-m", "program")])
def test_the_busy_line_is_found_however_the_program_is_started(how: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    sampler = find_sampler("scalene")
    launch = Launch(
        argv=(sys.executable, *how, "--port", "0"), env=dict(os.environ), python=sys.executable, folder=str(tmp_path)
    )
    wrapped = sampler.wrap(launch, OPTIONS, scratch)
    with started(wrapped.argv, wrapped.env, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready --port 0\n"
        session = sampler.attach([process.pid], OPTIONS, scratch)
        session.on()
        before = cpu_ticks(process.pid)
        assert before is not None
        while (cpu_ticks(process.pid) or before)[0] < before[0] + 100:  # a second of CPU time
            pass
        session.off()
        process.terminate()
        output = process.communicate(timeout=30)[0]
    capture = session.finish()
    assert len(capture.samples) == 0, output
    summary = msgspec.json.decode((scratch / "keep" / "scalene.json").read_bytes(), type=ScaleneSummary)
    assert "sum([i * i" in summary.lines[0].source
    assert summary.lines[0].cpu > 0.5
    assert summary.memory
    assert summary.suspect == ""


SERVERS = [
    ("gunicorn", "django", "wsgi:application", "views.py"),
    ("granian", "fastapi", "main:app", "main.py"),
    ("robyn", "robyn", None, "app.py"),
]


@pytest.mark.parametrize(("kind", "folder", "app", "file"), SERVERS, ids=[server[0] for server in SERVERS])
def test_servers_with_workers_of_their_own_leave_a_result(
    kind: str, folder: str, app: str | None, file: str, tmp_path: Path
) -> None:
    sampler = find_sampler("scalene")
    spec = TargetSpec(folder=APPS / folder, kind=kind, app=app)
    target = start_target(spec, wrap=lambda launch: sampler.wrap(launch, OPTIONS, tmp_path), logs=tmp_path)
    try:
        target.wait_ready(Endpoint(path="/hello"), 60)
        session = sampler.attach(target.pids(), OPTIONS, tmp_path)
        session.on()
        subprocess.run(["wrk", "-t1", "-c8", "-d2s", f"{target.url}/hello"], check=True, stdout=subprocess.DEVNULL)
        session.off()
    finally:
        target.stop()
    session.finish()
    summary = msgspec.json.decode((tmp_path / "keep" / "scalene.json").read_bytes(), type=ScaleneSummary)
    assert any(Path(line.file).name == file and line.cpu > 0 for line in summary.lines)


def test_an_interpreter_without_scalene_is_told_the_command(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    bare.chmod(0o755)
    launch = Launch(argv=(str(bare), "app.py"), env=dict(os.environ), python=str(bare))
    with pytest.raises(SamplerError, match="not installed") as caught:
        find_sampler("scalene").wrap(launch, OPTIONS, tmp_path)
    assert caught.value.hint == f"{bare} -m pip install scalene"


def test_a_target_without_an_interpreter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SamplerError, match="needs a target that is started by a Python interpreter"):
        find_sampler("scalene").wrap(Launch(argv=("nginx",), env={}), OPTIONS, tmp_path)


def test_a_program_that_left_no_result_is_a_clear_error(tmp_path: Path) -> None:
    session = find_sampler("scalene").attach([os.getpid()], OPTIONS, tmp_path)
    with pytest.raises(SamplerError, match="wrote no result"):
        session.finish()


@pytest.mark.parametrize(("outside", "suspect"), [(0.9, True), (0.1, False)])
def test_a_line_in_which_the_main_thread_waits_is_marked(outside: float, suspect: bool) -> None:
    line = {
        "lineno": 17, "line": "execute_from_command_line(sys.argv)\n", "n_cpu_percent_python": 0.0,
        "n_cpu_percent_c": 50.0, "n_sys_percent": 46.0, "n_malloc_mb": 0.0, "n_peak_mb": 0.0, "n_copy_mb_s": 0.0,
    }  # fmt: skip
    summary = summarise({"files": {"/a/manage.py": {"lines": [line]}}, "elapsed_time_sec": 3.0}, outside)
    assert ("96% is charged to manage.py:17" in summary.suspect) == suspect
