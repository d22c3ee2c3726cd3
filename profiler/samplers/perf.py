"""Linux perf: native and kernel stacks of every thread, by the kernel's own sampler.

See perf_process.py for how it is run. perf knows nothing of Python. With the trampoline (`-X perf`, Python 3.12+) every
Python function gets native code of its own and so a name in the stack, at a price: calls between Python functions no
longer stay inside one interpreter frame.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from profiler.errors import SamplerError
from profiler.model.frame import Language
from profiler.model.launch import Launch
from profiler.model.profile import RawCapture
from profiler.samplers import perf_data
from profiler.samplers.base import Missing, SamplerOptions, SamplerSession
from profiler.samplers.perf_process import PerfProcess

INSTALL = "apt-get install linux-perf"
PERMIT = "sudo sysctl kernel.perf_event_paranoid=1, or run as root"
NO_PYTHON_NAMES = (
    "Python functions have no names here: perf sees them only with --perf-trampoline; exact sees them as is"
)
TRAMPOLINE_MAPS = Path("/tmp")  # the interpreter's choice: perf looks nowhere else


class PerfSession:
    """One `perf record` over all windows."""

    def __init__(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> None:
        self._process = PerfProcess(pids, options, folder)

    @property
    def perf_pid(self) -> int:
        return self._process.pid

    def on(self) -> None:
        self._process.check_disk()
        self._process.command("enable")

    def off(self) -> None:
        self._process.command("disable")

    def finish(self) -> RawCapture:
        """What perf wrote, also where it broke off; its data file is gone afterwards.

        Raises:
            SamplerError: it left nothing that can be read.
        """
        self._process.end()
        data = self._process.data
        try:
            if not data.is_file() or not data.stat().st_size:
                raise self._process.failure("left no data")
            capture = perf_data.read(data)
        finally:
            data.unlink(missing_ok=True)
        warnings = [*capture.warnings, *self._process.troubles(), *_nameless(capture)]
        return dataclasses.replace(
            capture, version=perf_version(), sampler_cpu_s=self._process.cpu_s, warnings=tuple(warnings)
        )


class TrampolineSession(PerfSession):
    """The same, and the name files that the target's interpreters leave behind are removed."""

    def __init__(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> None:
        super().__init__(pids, options, folder)
        self._pids = set(pids)

    def finish(self) -> RawCapture:
        pids = self._pids
        try:
            capture = super().finish()
            pids = pids | {pid for pid, _ in capture.threads}
        finally:
            remove_maps(pids)
        return capture


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
        return TrampolineSession(pids, options, folder)


def probe_perf(options: SamplerOptions) -> Missing | None:
    """Really open the event, for kernel code: where that is refused perf would quietly leave the kernel out."""
    if shutil.which("perf") is None:
        return Missing(reason="perf is not installed", fix=INSTALL)
    argv = ["perf", "record", "--event", "cpu-clock:k", "--output", "/dev/null", "--quiet", "--", "true"]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in done.stderr.splitlines()]
    level = next((line for line in lines if line.startswith("perf_event_paranoid setting is")), "").rstrip(":")
    said = level or next((line for line in lines if line and line != "Error:"), "no reason given")
    return Missing(reason=f"perf may not sample the kernel's part: {said}", fix=PERMIT)


def perf_version() -> str:
    done = subprocess.run(["perf", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip().removeprefix("perf version ")


def remove_maps(pids: Iterable[int]) -> None:
    """Delete the name files that interpreters started with `-X perf` wrote and left."""
    for pid in pids:
        path = TRAMPOLINE_MAPS / f"perf-{pid}.map"
        with contextlib.suppress(OSError):
            # Somebody else's program may have left a file for this number long ago.
            if path.lstat().st_uid == os.geteuid():
                path.unlink()


def _nameless(capture: RawCapture) -> list[str]:
    interpreter = any(traits.language is Language.CPYTHON for traits in capture.modules.values())
    named = any(frame.kind == "python" for frame in capture.frames)
    return [NO_PYTHON_NAMES] if interpreter and not named else []


def _python_version(python: str) -> tuple[int, int]:
    argv = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SamplerError(f"{python} does not run: {error}") from error
    major, minor = done.stdout.split()
    return int(major), int(minor)
