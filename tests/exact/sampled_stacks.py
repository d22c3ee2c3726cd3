"""A process under the exact sampler, and its samples as stacks of frames."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from profiler.model.profile import RawCapture, RawFrame
from profiler.samplers.base import SamplerOptions
from profiler.samplers.exact import Exact

HERE = Path(__file__).parent
TARGET = HERE / "oracle_target.py"


def interpreters() -> list[Path]:
    """Every CPython that is installed here and that the sampler should know: shared and static, stripped and not."""
    found = sorted((Path.home() / ".pyenv" / "versions").glob("3.1[1-9].*/bin/python3"))
    # Newer than what is installed: scripts/fetch-python, run by the set-up.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found += sorted((cache / "hotpath-profiler/pythons").glob("3.1[1-9]/bin/python3"))
    system = Path("/usr/bin/python3")
    return [*found, *([system] if system.exists() else [])] or [Path(sys.executable)]


def build_oracle(folder: Path, python: Path) -> None:
    """Compile the test extension, in C and Rust, for an interpreter into a folder."""
    query = "import sysconfig; print(sysconfig.get_paths()['include'], sysconfig.get_config_var('py_version_short'))"
    include, version = subprocess.run([python, "-c", query], capture_output=True, text=True, check=True).stdout.split()
    if not Path(include, "Python.h").exists():  # a system's interpreter without its headers: another one's will do
        same = [path for path in interpreters() if path.parts[-3].startswith(version + ".")]
        include = str(same[0].parents[1] / "include" / f"python{version}")
    # Debian's headers include others from a folder per architecture beside their own; the C library's are the system's.
    includes = [f"-I{include}", "-idirafter", str(Path(include).parent)]
    library = folder / "liboracle_rust.so"
    # Both ways in which rustc writes names: the new one for every other interpreter.
    mangling = ["-C", "symbol-mangling-version=v0"] if int(version.split(".")[1]) % 2 == 0 else []
    subprocess.run(["rustc", "-O", "-g", *mangling, str(HERE / "oracle.rs"), "-o", str(library)], check=True)
    subprocess.run(
        [
            "cc", "-shared", "-fPIC", "-O1", "-g", "-fno-optimize-sibling-calls", *includes,
            str(HERE / "oracle.c"), "-o", str(folder / "oracle.so"), str(library), f"-Wl,-rpath,{folder}",
        ],
        check=True,
    )  # fmt: skip


class Oracle:
    """A running `oracle_target.py`."""

    def __init__(self, process: subprocess.Popen[str], pid: int) -> None:
        self.process = process
        self.pid = pid

    def start_counting(self) -> None:
        self._tell()

    def finish(self) -> dict[str, float]:
        """Have it stop; the CPU seconds each section used."""
        self._tell()
        assert self.process.stdout is not None
        used: dict[str, float] = json.loads(self.process.stdout.readline())
        assert self.process.wait(30) == 0
        return used

    def _tell(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def running_oracle(python: Path, folder: Path, mode: str) -> Iterator[Oracle]:
    process = subprocess.Popen([python, TARGET, folder, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdin is not None
        yield Oracle(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            stream.close()


def sample(pids: Sequence[int], folder: Path, *, hz: float, seconds: float) -> RawCapture:
    """Sample processes for a while."""
    session = Exact().attach(pids, SamplerOptions(hz=hz), folder)
    try:
        session.on()
        time.sleep(seconds)
        session.off()
    finally:
        capture = session.finish()
    return capture


class Stack(NamedTuple):
    """Root first."""

    frames: tuple[RawFrame, ...]
    count: int
    thread: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(frame.name for frame in self.frames)


def stacks_of(capture: RawCapture) -> list[Stack]:
    """Distinct stacks with their threads' names and numbers of samples."""
    counts: dict[tuple[int, str], int] = {}
    samples = capture.samples
    for pid, tid, stack in zip(samples.pid.tolist(), samples.tid.tolist(), samples.stack.tolist(), strict=True):
        key = (stack, capture.threads[(pid, tid)])
        counts[key] = counts.get(key, 0) + 1
    return [
        Stack(tuple(capture.frames[index] for index in capture.stacks[stack]), count, thread)
        for (stack, thread), count in counts.items()
    ]
