"""perf on a real process: what it covers, what it weighs, and what happens when something goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from busy_process import busy, python_names, seconds_by_thread

from profiler.errors import SamplerError
from profiler.model.launch import Launch
from profiler.samplers import find_sampler
from profiler.samplers.base import SamplerOptions
from profiler.samplers.perf import NO_PYTHON_NAMES, PerfSession, TrampolineSession, probe_perf
from profiler.samplers.perf_process import PerfProcess

OPTIONS = SamplerOptions(hz=499)
LAST_CPU = max(os.sched_getaffinity(0))


def test_weights_are_the_cpu_time_of_threads_and_workers_born_later(
    tmp_path: Path, stolen_s: Callable[[], float]
) -> None:
    with busy() as target:
        session = PerfSession([target.pid], OPTIONS, tmp_path)
        session.on()
        burned = {target.burn(where, 0.4): 0.4 for where in ("main", "thread", "fork")}
        session.off()
        capture = session.finish()
    sampled = seconds_by_thread(capture)
    assert len(burned) == 3
    for thread, seconds in burned.items():
        assert sampled[thread] == pytest.approx(seconds, abs=0.05 * seconds + stolen_s())
    assert target.idle_tid not in sampled
    assert capture.lost == 0
    assert {frame.kind for frame in capture.frames} == {"native", "kernel"}
    assert NO_PYTHON_NAMES in capture.warnings
    assert capture.sampler_cpu_s is not None and capture.version


def test_windows_switch_on_and_off_also_for_a_worker_born_while_off(tmp_path: Path) -> None:
    with busy() as target:
        session = PerfSession([target.pid], OPTIONS, tmp_path)
        windows = []
        target.burn("main", 0.1)
        for _ in range(2):
            target.begin("fork", 0.3)
            begun = time.monotonic_ns()
            session.on()
            worker = target.wait()
            session.off()
            windows.append((begun, time.monotonic_ns(), worker))
            target.burn("main", 0.1)
        capture = session.finish()
    times = capture.samples.time_ns
    inside = sum(((times >= begun) & (times <= ended)).sum() for begun, ended, _ in windows)
    assert inside == len(capture.samples) > 0
    assert {worker for _, _, worker in windows} <= set(capture.samples.pid.tolist())


def test_perf_keeps_to_its_cpus(tmp_path: Path) -> None:
    with busy() as target:
        session = PerfSession([target.pid], SamplerOptions(hz=99, cpus=(LAST_CPU,)), tmp_path)
        assert os.sched_getaffinity(session.perf_pid) == {LAST_CPU}
        session.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["perf.log"]


def test_killed_in_a_window_it_is_named_and_what_it_wrote_is_kept(tmp_path: Path) -> None:
    with busy() as target:
        session = PerfSession([target.pid], OPTIONS, tmp_path)
        session.on()
        target.burn("main", 0.8)
        os.kill(session.perf_pid, signal.SIGKILL)
        with pytest.raises(SamplerError, match="perf has ended"):
            session.off()
        capture = session.finish()
        assert target.burn("main", 0.01) == target.pid
    assert len(capture.samples) > 0
    assert any("broken off" in warning for warning in capture.warnings)


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    with busy() as target:
        process = PerfProcess([target.pid], OPTIONS, tmp_path, max_bytes=1 << 20)
        process.command("enable")
        target.burn("main", 1.0)
        with pytest.raises(SamplerError, match=r"perf has ended: .*disk") as caught:
            process.command("disable")
        process.end()
    assert caught.value.hint is not None and "--output" in caught.value.hint


def test_processes_that_have_ended_are_left_out(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    with busy() as target:
        session = PerfSession([gone.pid, target.pid], OPTIONS, tmp_path)
        session.on()
        target.burn("main", 0.1)
        session.off()
        assert set(session.finish().samples.pid.tolist()) == {target.pid}
    with pytest.raises(SamplerError, match="have ended"):
        PerfSession([gone.pid], OPTIONS, tmp_path)


def test_it_dies_with_the_toolkit_and_leaves_the_target_alone(tmp_path: Path) -> None:
    script = f"""
import pathlib, sys
from profiler.samplers.base import SamplerOptions
from profiler.samplers.perf import PerfSession
session = PerfSession([int(sys.argv[1])], SamplerOptions(), pathlib.Path({str(tmp_path)!r}))
session.on()
print(session.perf_pid, flush=True)
sys.stdin.read()
"""
    with busy() as target:
        argv = [sys.executable, "-c", script, str(target.pid)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as toolkit:
            assert toolkit.stdout is not None
            perf = psutil.Process(int(toolkit.stdout.readline()))
            toolkit.kill()
        perf.wait(timeout=20)
        assert target.burn("main", 0.01) == target.pid


def test_the_trampoline_gives_python_names_and_leaves_no_files(tmp_path: Path) -> None:
    with busy("-X", "perf") as target:
        session = TrampolineSession([target.pid], OPTIONS, tmp_path)
        session.on()
        worker = target.burn("fork", 0.3)
        session.off()
        capture = session.finish()
    assert "burn_cpu" in python_names(capture)
    assert NO_PYTHON_NAMES not in capture.warnings
    assert not [pid for pid in (target.pid, worker) if Path(f"/tmp/perf-{pid}.map").exists()]


def test_the_trampoline_is_put_into_the_launch() -> None:
    launch = Launch(argv=(sys.executable, "manage.py", "runbolt"), env={}, python=sys.executable)
    wrapped = find_sampler("perf-trampoline").wrap(launch, OPTIONS, Path())
    assert wrapped.argv == (sys.executable, "-X", "perf", "manage.py", "runbolt")


def test_an_interpreter_without_the_trampoline_is_refused_by_version(tmp_path: Path) -> None:
    old = tmp_path / "python3.11"
    old.write_text("#!/bin/sh\necho 3 11\n")
    old.chmod(0o755)
    launch = Launch(argv=(str(old), "app.py"), env={}, python=str(old))
    with pytest.raises(SamplerError, match=r"Python 3\.11, and the trampoline came with 3\.12"):
        find_sampler("perf-trampoline").wrap(launch, OPTIONS, tmp_path)


def test_without_perf_the_fix_is_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = probe_perf(OPTIONS)
    assert missing is not None and missing.fix == "apt-get install linux-perf"


def test_a_user_who_may_not_see_the_kernel_is_told_the_level() -> None:
    script = """
import os
from profiler.samplers.base import SamplerOptions
from profiler.samplers.perf import probe_perf
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
print(probe_perf(SamplerOptions()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/")
    level = int(Path("/proc/sys/kernel/perf_event_paranoid").read_text())
    if level > 1:
        assert f"perf_event_paranoid setting is {level}" in done.stdout
        assert "sysctl kernel.perf_event_paranoid=1" in done.stdout
    else:
        assert done.stdout == "None\n"
