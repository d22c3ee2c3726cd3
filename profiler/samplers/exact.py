"""Native, kernel and Python stack of the same instant, of every thread, without stopping or restarting the target.

A BPF program in the timer interrupt of each CPU copies what is needed and walks the CPython frames; a recorder in a
process of its own unwinds and joins. See docs/exact.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from profiler import __version__
from profiler.errors import SamplerError, UsageError
from profiler.model.launch import Launch
from profiler.model.profile import RawCapture
from profiler.samplers.base import Missing, SamplerOptions, SamplerSession
from profiler.samplers.exact_data import read_exact
from profiler.samplers.exact_process import RecorderProcess
from profiler.samplers.recorder_program import permit

LOWEST_HZ = 1.0
HIGHEST_HZ = 10_000.0


class ExactSession:
    """One recorder over all windows."""

    def __init__(self, pids: Sequence[int], options: SamplerOptions, folder: Path, *, waits: bool = False) -> None:
        if not LOWEST_HZ <= options.hz <= HIGHEST_HZ:
            raise UsageError(f"a rate of {options.hz:g} samples per second", hint=f"{LOWEST_HZ:g} to {HIGHEST_HZ:g}")
        self._folder = folder
        self._waits = waits
        self._period_ns = round(1e9 / options.hz)
        self._recorder = RecorderProcess(folder / "recorder.log")
        try:
            answer = self._recorder.ask(
                "attach",
                pids=list(pids),
                period_ns=self._period_ns,
                folder=str(folder.resolve()),
                cpus=list(options.cpus),
                waits=waits,
            )
        except SamplerError:
            self._recorder.close()
            raise
        self.interpreters: tuple[str, ...] = tuple(
            sorted({f"CPython {found['version']} ({found['path']})" for found in answer["interpreters"]})
        )

    @property
    def recorder_pid(self) -> int:
        return self._recorder.pid

    def on(self) -> None:
        self._recorder.ask("on")

    def off(self) -> None:
        self._recorder.ask("off")

    def finish(self) -> RawCapture:
        try:
            self._recorder.ask("finish")
        finally:
            self._recorder.close()
        return read_exact(self._folder, self._period_ns, __version__, waits=self._waits)


def probe_recorder(*, waits: bool) -> Missing | None:
    """Really load the program and open the events: every refusal ends in the kernel's own reason."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return Missing(reason=f"the exact sampler knows x86-64 Linux only, not {os.uname().machine}", fix="")
    with tempfile.TemporaryDirectory(prefix="profiler-probe-") as folder:
        try:
            recorder = RecorderProcess(Path(folder) / "recorder.log")
            try:
                recorder.ask("probe", waits=waits)
            finally:
                recorder.close()
        except SamplerError as error:
            return Missing(reason=error.message, fix=permit())
    return None


class Exact:
    """The sampler of this project."""

    name = "exact"
    default_hz = 499.0
    window_s = 1.0
    inside = False
    switchable = True
    distortion = ""

    def probe(self, options: SamplerOptions) -> Missing | None:
        return probe_recorder(waits=False)

    def wrap(self, launch: Launch, options: SamplerOptions, folder: Path) -> Launch:
        return launch

    def attach(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> SamplerSession:
        return ExactSession(pids, options, folder)
