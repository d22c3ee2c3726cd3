"""py-spy on a real process: threads, workers, windows, fall-back, and its sudden end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from busy_process import busy, python_names, seconds_by_thread
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import SamplerError
from profiler.model.frame import Language
from profiler.samplers import find_sampler
from profiler.samplers.base import SamplerOptions
from profiler.samplers.py_spy import PySpySession
from profiler.samplers.py_spy_data import Window, merge_windows, spread
from profiler.samplers.scalene import cpu_ticks
from profiler.stacks import build_profile

OPTIONS = SamplerOptions(hz=100)


def test_it_can_run_here() -> None:
    assert find_sampler("py-spy").probe(OPTIONS) is None


def test_threads_and_workers_are_seen_each_under_its_number(tmp_path: Path) -> None:
    with busy() as target:
        session = PySpySession([target.pid], OPTIONS, tmp_path)
        edges, workers = [], []
        target.burn("main", 0.1)
        for where in ("thread", "fork"):
            target.begin(where, 1.0)
            edges.append(time.monotonic_ns())
            session.on()
            workers.append(target.wait())
            session.off()
            edges.append(time.monotonic_ns())
        capture = session.finish()
    sampled = seconds_by_thread(capture)
    assert "burn_cpu" in python_names(capture)
    assert "burner" in " ".join(capture.threads.values())
    assert len(set(capture.samples.pid.tolist())) == 2
    assert all(sampled[worker] > 0.1 for worker in workers)  # of a second; how much more is py-spy's guess
    times = capture.samples.time_ns
    inside = ((times > edges[0]) & (times < edges[1])) | ((times > edges[2]) & (times < edges[3]))
    assert inside.all() and len(capture.samples) > 0
    assert set(capture.quality) == {"errors"}
    assert capture.sampler_cpu_s and capture.version
    assert not list(tmp_path.glob("*.raw"))


def test_where_native_stacks_can_not_be_merged_python_frames_are_kept(tmp_path: Path) -> None:
    with busy("-X", "perf") as target:  # the trampoline's frames fit no Python frame that py-spy knows
        session = PySpySession([target.pid], OPTIONS, tmp_path)
        for _ in range(2):
            target.begin("main", 0.6)
            session.on()
            target.wait()
            session.off()
        capture = session.finish()
    assert any("native stacks failed, Python frames only" in warning for warning in capture.warnings)
    assert "burn_cpu" in python_names(capture)


def test_killed_in_a_window_the_target_goes_on_and_earlier_windows_are_kept(tmp_path: Path) -> None:
    with busy() as target:
        session = PySpySession([target.pid], SamplerOptions(hz=500), tmp_path)
        target.begin("main", 0.5)
        session.on()
        target.wait()
        session.off()
        for _ in range(3):  # at 500 Hz it has the target stopped much of the time
            target.begin("main", 0.3)
            session.on()
            assert session.py_spy_pid is not None
            os.kill(session.py_spy_pid, signal.SIGKILL)
            assert target.wait() == target.pid
            with pytest.raises(SamplerError, match="py-spy failed while it sampled"):
                session.off()
        capture = session.finish()
    assert len(capture.samples) > 0


def test_an_interrupt_in_a_window_leaves_no_process(tmp_path: Path) -> None:
    with busy() as target:
        session = PySpySession([target.pid], OPTIONS, tmp_path)
        session.on()
        pid = session.py_spy_pid
        assert len(session.finish().samples) == 0
        assert not Path(f"/proc/{pid}").exists()


RUST = """
#[no_mangle]
pub extern "C" fn spin(rounds: u64) -> u64 {
    inner(rounds)
}

#[inline(never)]
fn inner(rounds: u64) -> u64 {
    let text: Vec<u64> = (0..rounds).map(std::hint::black_box).collect();
    text[rounds as usize / 2]
}
"""
SPINNING = "import ctypes, sys; spin = ctypes.PyDLL(sys.argv[1]).spin; print(1, flush=True)\nwhile True: spin(100_000)"


def test_a_stripped_rust_library_counts_as_rust(tmp_path: Path) -> None:
    library = tmp_path / "libspin.so"
    (tmp_path / "spin.rs").write_text(RUST)
    options = ["--crate-type", "cdylib", "-O", "-C", "strip=symbols", "-o", str(library)]
    subprocess.run(["rustc", *options, str(tmp_path / "spin.rs")], check=True)
    with subprocess.Popen([sys.executable, "-c", SPINNING, library], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            session = PySpySession([process.pid], OPTIONS, tmp_path)
            session.on()
            ticks = cpu_ticks(process.pid)
            while (now := cpu_ticks(process.pid)) and ticks and now[0] < ticks[0] + 50:
                pass
            session.off()
        finally:
            process.kill()
        capture = session.finish()
    assert capture.modules[str(library)].language is Language.RUST and capture.modules[str(library)].stripped
    profile = build_profile(capture)
    own = [frame for frame in profile.frames if frame.module == "libspin.so"]
    assert own and {frame.language for frame in own} == {Language.RUST}
    assert Language.PYTHON in {frame.language for frame in profile.frames}


def test_a_process_without_python_is_a_clear_error(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            session = PySpySession([sleeper.pid], OPTIONS, tmp_path)
            with pytest.raises(SamplerError, match="py-spy ended before it sampled"):
                session.on()
            session.finish()
        finally:
            sleeper.kill()


def test_below_a_shell_the_first_python_process_is_taken(tmp_path: Path) -> None:
    code = "print(1, flush=True)\nwhile True: sum(range(999))"
    script = f'"{sys.executable}" -c "$0" & echo $!; trap "kill $!" TERM; wait; wait'
    with subprocess.Popen(["bash", "-c", script, code], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        lines = {int(shell.stdout.readline()), int(shell.stdout.readline())}
        python = max(lines)
        session = PySpySession([shell.pid, python], OPTIONS, tmp_path)
        session.on()
        session.off()
        session.finish()
        shell.terminate()


@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=8), start=st.integers(0, 10**15))
def test_every_sample_keeps_its_weight_and_lies_in_its_window(counts: list[int], start: int) -> None:
    raw = "\n".join(
        f'process 7:"python -c x;\ny";thread (7): Main;<module> (a.py:1);f{number} (a.py:{number + 2}) {count}'
        for number, count in enumerate(counts)
    )
    window = Window(raw=raw, start_ns=start, end_ns=start + 10**9, samples=sum(counts), errors=0)
    capture = merge_windows([window, window], 1e7)
    assert capture.samples.weight_ns.sum() == 2 * sum(counts) * 10**7
    assert set(capture.samples.pid.tolist()) == set(capture.samples.tid.tolist()) == {7}
    assert capture.threads == {(7, 7): "Main"}
    assert ((capture.samples.time_ns >= start) & (capture.samples.time_ns < start + 10**9)).all()
    assert len(capture.stacks) == len(counts)


@given(count=st.integers(1, 500), share=st.floats(0.05, 0.95))
def test_samples_are_spread_so_that_any_stretch_gets_its_share(count: int, share: float) -> None:
    inside = (spread(count, 0, 10**9) < share * 10**9).sum()
    assert abs(inside - share * count) < 8
