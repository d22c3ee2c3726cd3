"""The recorder as a process: what it leaves behind, what it may do, what it says of what it does not know."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sampled_stacks import build_oracle, interpreters, running_oracle, sample, stacks_of

from profiler.errors import SamplerError, UsageError
from profiler.samplers.base import SamplerOptions
from profiler.samplers.exact import Exact, ExactSession
from profiler.samplers.exact_process import RecorderProcess, recorder_command
from profiler.samplers.recorder_program import COMMAND_VARIABLE

PYTHON = Path(sys.executable)
CAPABILITIES = "+bpf,+perfmon,+sys_ptrace"


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oracle")
    build_oracle(folder, PYTHON)
    return folder


@pytest.fixture
def busy(extension: Path) -> Iterator[int]:
    with running_oracle(PYTHON, extension, "sections") as oracle:
        yield oracle.pid


def kernel_objects(pid: int) -> set[tuple[str, int]]:
    """BPF programs and maps that a process holds, by kind and id."""
    lines = [
        line.split()
        for path in Path(f"/proc/{pid}/fdinfo").iterdir()
        for line in path.read_text().splitlines()
        if line.startswith(("prog_id:", "map_id:"))
    ]
    return {(name.partition("_")[0], int(number)) for name, number in lines}


def event_holders() -> set[int]:
    """Processes that hold a perf event."""
    holders = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:  # ended while it was looked at
            continue
        if "anon_inode:[perf_event]" in links:
            holders.add(int(process.name))
    return holders


def existing() -> set[tuple[str, int]]:
    return {
        (kind, entry["id"])
        for kind in ("prog", "map")
        for entry in json.loads(
            subprocess.run(["bpftool", "-j", kind, "show"], capture_output=True, text=True, check=True).stdout
        )
    }


def test_a_killed_recorder_leaves_nothing_in_the_kernel(busy: int, tmp_path: Path) -> None:
    held, killed = set(), set()
    for _ in range(20):
        recorder = RecorderProcess(tmp_path / "recorder.log")
        recorder.ask("attach", pids=[busy], period_ns=1_000_000, folder=str(tmp_path))
        recorder.ask("on")
        own = kernel_objects(recorder.pid)
        assert {kind for kind, _ in own} == {"prog", "map"}
        held |= own
        assert recorder.pid in event_holders(), "the recorder holds the events, and the target does not"
        assert busy not in event_holders()
        killed.add(recorder.pid)
        os.kill(recorder.pid, signal.SIGKILL)
        recorder.close()
    deadline = time.monotonic() + 10
    while (left := held & existing()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    assert not event_holders() & (killed | {busy})
    assert not any(Path(f"/proc/{pid}").exists() for pid in killed)
    assert Path(f"/proc/{busy}").exists()


def test_a_recorder_ends_with_its_input(busy: int, tmp_path: Path) -> None:
    recorder = RecorderProcess(tmp_path / "recorder.log")
    recorder.ask("attach", pids=[busy], period_ns=1_000_000, folder=str(tmp_path))
    recorder.ask("on")
    recorder.close()
    assert not Path(f"/proc/{recorder.pid}").exists()


def use_cpu(pid: int, seconds: float) -> None:
    """Return when a process has used that much more CPU time."""

    def used() -> float:
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)

    enough = used() + seconds
    while used() < enough:
        time.sleep(0.01)


def test_nothing_is_sampled_while_it_is_off(busy: int, tmp_path: Path) -> None:
    session = ExactSession([busy], SamplerOptions(hz=999), tmp_path)
    spans = []
    for _ in range(2):
        started = time.monotonic_ns()
        session.on()
        use_cpu(busy, 0.3)
        session.off()
        spans.append((started, time.monotonic_ns()))
        use_cpu(busy, 0.3)
    capture = session.finish()
    assert len(capture.samples) > 20
    assert all(any(start <= at <= end for start, end in spans) for at in capture.samples.time_ns.tolist())
    assert capture.sampler_cpu_s is not None and capture.sampler_cpu_s > 0


def test_three_capabilities_are_enough(busy: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _limit_recorder(monkeypatch, f"-all,{CAPABILITIES}")
    assert Exact().probe(SamplerOptions()) is None
    capture = sample([busy], tmp_path, hz=499, seconds=0.5)
    assert capture.quality["exact"] > 0.5 and capture.quality["unspliced"] < 0.05


def test_without_privileges_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _limit_recorder(monkeypatch, "-all")
    missing = Exact().probe(SamplerOptions())
    assert missing is not None
    assert "refused" in missing.reason
    assert COMMAND_VARIABLE in missing.fix


def _limit_recorder(monkeypatch: pytest.MonkeyPatch, bounding: str) -> None:
    command = " ".join(f"'{part}'" for part in recorder_command())
    monkeypatch.setenv(COMMAND_VARIABLE, f"setpriv --bounding-set={bounding} --inh-caps=-all -- {command}")


def test_a_recorder_that_does_not_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMMAND_VARIABLE, "/nowhere/recorder")
    with pytest.raises(SamplerError, match="/nowhere/recorder does not start"):
        RecorderProcess(tmp_path / "recorder.log")


def test_processes_that_are_gone_and_absurd_rates_are_refused(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with pytest.raises(SamplerError, match=f"no such process: {ended.pid}"):
        Exact().attach([ended.pid], SamplerOptions(), tmp_path)
    with pytest.raises(UsageError, match="rate of 0"):
        Exact().attach([ended.pid], SamplerOptions(hz=0), tmp_path)


@pytest.mark.parametrize("version", ["0x03630000UL", "0x030c0100UL", "0x030e0000UL", "0x030a0000UL"])
def test_an_unknown_interpreter_is_refused_with_a_sentence(tmp_path: Path, version: str) -> None:
    program = tmp_path / "python-unknown"
    source = Path(__file__).with_name("unknown_python.c")
    subprocess.run(["cc", f"-DHEX={version}", "-rdynamic", str(source), "-o", str(program)], check=True)
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            with pytest.raises(SamplerError, match=r"CPython 3\.\d+ can't be walked"):
                Exact().attach([process.pid], SamplerOptions(), tmp_path)
        finally:
            process.kill()


CONTENDED = """
import hashlib, os, threading
data = bytes(4000)

def digest():
    while True:
        hashlib.sha256(data).digest()

for _ in range(4):
    threading.Thread(target=digest, daemon=True).start()
print(os.getpid(), flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("python", interpreters(), ids=lambda path: path.parts[-3])
def test_waiting_for_the_gil_is_told_from_running(python: Path, tmp_path: Path) -> None:
    with subprocess.Popen([python, "-c", CONTENDED], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            pid = int(process.stdout.readline())
            # Waiting costs CPU only while a thread goes to sleep or wakes up: how often that is, the scheduler decides.
            for number in range(8):
                folder = tmp_path / str(number)
                folder.mkdir()
                capture = sample([pid], folder, hz=1999, seconds=1)
                if capture.quality["gil_waiting"] * len(capture.samples) >= 3:
                    break
        finally:
            process.kill()
    assert capture.quality["gil_waiting"] * len(capture.samples) >= 3
    assert capture.quality["gil_held"] > 0.05
    assert capture.quality["gil_released"] > 0.05
    waiting = [stack for stack in stacks_of(capture) if "[waiting for the GIL]" in stack.names]
    assert sum(stack.count for stack in waiting) == round(capture.quality["gil_waiting"] * len(capture.samples))
    for stack in waiting:
        assert "digest" in stack.names[: stack.names.index("[waiting for the GIL]")]


SUBINTERPRETER = """
import os, threading
import _interpreters

def main_work():
    return sum(number * number for number in range(3000))

def run():
    _interpreters.exec(_interpreters.create(), CODE)

CODE = '''
def sub_leaf():
    total = 0
    for number in range(3000):
        total += number
    return total
def sub_work():
    return sub_leaf()
while True:
    sub_work()
'''
threading.Thread(target=run, daemon=True).start()
print(os.getpid(), flush=True)
while True:
    main_work()
"""


def test_a_subinterpreter_has_its_own_frames_in_place(tmp_path: Path) -> None:
    with subprocess.Popen([PYTHON, "-c", SUBINTERPRETER], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            capture = sample([int(process.stdout.readline())], tmp_path, hz=1999, seconds=1)
        finally:
            process.kill()
    assert capture.quality["unspliced"] < 0.01
    seen = 0
    for stack in stacks_of(capture):
        names = [frame.name for frame in stack.frames if frame.kind == "python"]
        if names[-1:] == ["sub_leaf"]:
            assert names == ["<module>", "sub_work", "sub_leaf"]
            native = [frame.name for frame in stack.frames]
            assert native.index("sub_leaf") > native.index("clone3"), "its own thread carries it"
            seen += stack.count
        elif "main_work" in names:
            assert names[:2] == ["<module>", "main_work"]
    assert seen > 20


def test_a_program_without_python_has_native_stacks(tmp_path: Path) -> None:
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as process:
        try:
            capture = sample([process.pid], tmp_path, hz=499, seconds=0.5)
        finally:
            process.kill()
    assert len(capture.samples) > 20
    assert capture.quality["native_only"] == 1
    assert capture.quality["root_reached"] > 0.95


STEADY = """
def turn():
    return sum(range(1000))

def work():
    while True:
        turn()

work()
"""


def switches(pid: int) -> int:
    """How often a process went to sleep, all of its threads together."""
    counts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    lines = [line for text in counts for line in text.splitlines() if line.startswith("voluntary_ctxt_switches")]
    return sum(int(line.split()[1]) for line in lines)


def test_the_recorder_seldom_wakes_for_a_target_that_goes_on_as_before(tmp_path: Path) -> None:
    # Every wake-up is on a CPU of the load's, and the server pays for the answers that are late.
    with subprocess.Popen([sys.executable, "-c", STEADY]) as target:
        session = Exact().attach([target.pid], SamplerOptions(hz=499), tmp_path)
        try:
            session.on()
            use_cpu(target.pid, 1.0)
            before = switches(session.recorder_pid)
            use_cpu(target.pid, 3.0)
            woken = switches(session.recorder_pid) - before
            session.off()
        finally:
            capture = session.finish()
            target.kill()
    assert woken <= 30
    assert len(capture.samples.time_ns) > 3.5 * 499 * 0.9
    assert all(stack.names[-1] != "[unknown]" for stack in stacks_of(capture))


CHANGING = """
import sys, time

def spend():
    end = time.thread_time() + 0.02
    while time.thread_time() < end:
        sum(range(500))

number = 0
print("ready", flush=True)
while True:
    number += 1
    scope = {"spend": spend}
    # One and the same place in memory, often: each is freed before the next one is made.
    source = "\\n" * (number % 500) + f"def made_{number:06}():\\n    spend()\\n"
    exec(compile(source, f"file_{number:06}", "exec"), scope)
    scope[f"made_{number:06}"]()
    del scope
"""


@pytest.mark.parametrize("python", interpreters(), ids=lambda path: path.parts[-3])
def test_code_that_takes_the_place_of_other_code_is_not_taken_for_it(python: Path, tmp_path: Path) -> None:
    with subprocess.Popen([python, "-c", CHANGING], stdout=subprocess.PIPE, text=True) as target:
        assert target.stdout is not None
        assert target.stdout.readline() == "ready\n"
        session = Exact().attach([target.pid], SamplerOptions(hz=999), tmp_path)
        try:
            session.on()
            use_cpu(target.pid, 3.0)
            session.off()
        finally:
            capture = session.finish()
            target.kill()
    named, nameless = set(), 0
    for stack in stacks_of(capture):
        made = [frame for frame in stack.frames if frame.name.startswith("made_")]
        assert len(made) <= 1
        for frame in made:
            number = int(frame.name.removeprefix("made_"))
            # All of a frame is of one and the same function: name, file and line.
            assert frame.file == f"file_{number:06}"
            assert frame.line == number % 500 + 2
            named.add(number)
        nameless += 0 if made else stack.count
    assert len(named) > 100
    # What was gone before it could be read has no name; a wrong one would be worse.
    assert nameless < 0.2 * len(capture.samples.time_ns)
