"""Linux perf: native and kernel stacks of every thread, by the kernel's own sampler.

One `perf record` runs for all windows; it is switched by its control pipe, so that starting it costs no window. Threads
and workers born later inherit the events, and switching reaches inherited events too. Stacks are dumped whole (65,528
bytes, the kernel's limit): with 8 KB only one Rust stack in twenty reaches its root.

perf knows nothing of Python. With the trampoline (`-X perf`, Python 3.12+) every Python function gets native code of
its own and so a name in the stack, at a price: calls between Python functions no longer stay inside one interpreter
frame.
"""

from __future__ import annotations

import dataclasses
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from profiler.errors import SamplerError
from profiler.model.launch import Launch
from profiler.model.profile import RawCapture
from profiler.samplers import perf_data
from profiler.samplers.base import Missing, SamplerOptions, SamplerSession
from profiler.samplers.child import Child

STACK_BYTES = 65_528
ACK_TIMEOUT_S = 20.0
# Rather stop than fill the disk: a busy CPU at 499 Hz writes some 32 MB a second.
MIN_FREE_BYTES = 1 << 30
INSTALL = "apt-get install linux-perf"
PERMIT = "sudo sysctl kernel.perf_event_paranoid=1, or run as root"


class PerfSession:
    """One `perf record` over all windows."""

    def __init__(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> None:
        self._data = folder / "perf.data"
        self._options = options
        self._cpu_s: float | None = None
        control_read, self._control = os.pipe()
        self._acks, ack_write = os.pipe()
        argv = [
            "perf", "record", "--event", "cpu-clock", "--freq", f"{options.hz:g}",
            "--call-graph", f"dwarf,{STACK_BYTES}", "--clockid", "CLOCK_MONOTONIC", "--no-buildid-cache",
            "--mmap-pages", _mmap_pages(), "--delay", "-1", "--control", f"fd:{control_read},{ack_write}",
            "--output", str(self._data), "--pid", ",".join(map(str, pids)),
        ]  # fmt: skip
        try:
            self._perf = Child(argv, folder / "perf.log", cpus=options.cpus, pass_fds=(control_read, ack_write))
        finally:
            os.close(control_read)
            os.close(ack_write)

    def on(self) -> None:
        if shutil.disk_usage(self._data.parent).free < MIN_FREE_BYTES:
            raise SamplerError(
                f"less than 1 GiB is free under {self._data.parent}, and perf writes some 32 MB a second",
                hint="free space, lower --rate or --duration, or put the run elsewhere with --output",
            )
        self._command("enable")

    def off(self) -> None:
        self._command("disable")

    def _command(self, word: str) -> None:
        """Send a command and wait until perf has carried it out."""
        try:
            os.write(self._control, f"{word}\n".encode())
        except BrokenPipeError:
            raise self._perf.failure(f"ended before {word}") from None
        ready, _, _ = select.select([self._acks], [], [], ACK_TIMEOUT_S)
        if not ready or not os.read(self._acks, 16).startswith(b"ack"):
            raise self._perf.failure(f"did not carry out {word}")

    def finish(self) -> RawCapture:
        self._cpu_s = self._perf.cpu_seconds()
        try:
            self._perf.end(signal.SIGINT)
        finally:
            os.close(self._control)
            os.close(self._acks)
        if not self._data.is_file() or not self._data.stat().st_size:
            raise self._perf.failure("left no data")
        capture = perf_data.read(self._data)
        self._data.unlink()
        warnings = list(capture.warnings)
        if "No space left" in self._perf.output():
            warnings.append("the disk was full: what came after that is missing")
        return dataclasses.replace(capture, version=perf_version(), sampler_cpu_s=self._cpu_s, warnings=tuple(warnings))


class Perf:
    """perf on the target as it is."""

    name = "perf"
    default_hz = 499.0
    window_s = 1.0
    inside = False
    switchable = True
    distortion = ""

    def probe(self, options: SamplerOptions) -> Missing | None:
        return probe_perf(options)

    def wrap(self, launch: Launch, options: SamplerOptions, folder: Path) -> Launch:
        return launch

    def attach(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> SamplerSession:
        return PerfSession(pids, options, folder)


class PerfTrampoline:
    """perf on a target whose Python functions have names in the native stack."""

    name = "perf-trampoline"
    default_hz = 499.0
    window_s = 1.0
    inside = True
    switchable = True
    distortion = "started with -X perf: calls between Python functions run differently from production"

    def probe(self, options: SamplerOptions) -> Missing | None:
        return probe_perf(options)

    def wrap(self, launch: Launch, options: SamplerOptions, folder: Path) -> Launch:
        if not launch.python or not launch.argv or launch.argv[0] != launch.python:
            raise SamplerError(
                f"{self.name} needs a target that is started by a Python interpreter, not {launch.argv[:1]}",
                hint="use --sampler perf or exact, which attach to anything",
            )
        version = _python_version(launch.python)
        if version < (3, 12):
            raise SamplerError(
                f"{launch.python} is Python {version[0]}.{version[1]}, and the trampoline came with 3.12",
                hint="use --sampler exact, or a newer interpreter with --python",
            )
        return msgspec.structs.replace(launch, argv=(launch.python, "-X", "perf", *launch.argv[1:]))

    def attach(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> SamplerSession:
        return PerfSession(pids, options, folder)


def probe_perf(options: SamplerOptions) -> Missing | None:
    """Really open the event: paranoid level, capabilities and seccomp all end in the same refusal."""
    if shutil.which("perf") is None:
        return Missing(reason="perf is not installed", fix=INSTALL)
    argv = ["perf", "record", "--event", "cpu-clock", "--output", "/dev/null", "--quiet", "--", "true"]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        return None
    said = next((line.strip() for line in done.stderr.splitlines() if line.strip()), "no reason given")
    return Missing(reason=f"perf may not sample: {said}", fix=PERMIT)


def perf_version() -> str:
    done = subprocess.run(["perf", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip().removeprefix("perf version ")


def _mmap_pages() -> str:
    """Rings large enough that nothing is lost; without privileges the kernel allows half a megabyte."""
    return "16M" if os.geteuid() == 0 else "128"


def _python_version(python: str) -> tuple[int, int]:
    argv = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SamplerError(f"{python} does not run: {error}") from error
    major, minor = done.stdout.split()
    return int(major), int(minor)
