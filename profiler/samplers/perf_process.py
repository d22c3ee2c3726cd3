"""One `perf record` over all windows of a run, switched by its control pipe.

Starting perf costs no window that way. Threads and workers born later inherit the events, whether sampling is on or off
at that moment, and switching reaches inherited events too. Stacks are dumped whole (65,528 bytes, the kernel's limit):
with 8 KB only one Rust stack in twenty reaches its root.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from profiler.errors import SamplerError
from profiler.samplers.base import SamplerOptions
from profiler.samplers.child import Child

STACK_BYTES = 65_528
ACK_TIMEOUT_S = 20.0
# Stay off the last of the disk: a busy CPU at 499 Hz writes some 32 MB a second.
RESERVE_BYTES = 1 << 30
DISK_HINT = "free space, lower --rate or --duration, or put the run elsewhere with --output"


class PerfProcess:
    """perf with its events open and off; `data` is what it writes."""

    def __init__(
        self, pids: Sequence[int], options: SamplerOptions, folder: Path, *, max_bytes: int | None = None
    ) -> None:
        """Returns when the events are open.

        Args:
            max_bytes: Size at which perf stops; None leaves `RESERVE_BYTES` of the disk free.

        Raises:
            SamplerError: it may not sample these processes, they are gone, or the disk is full.
        """
        self.data = folder / "perf.data"
        self.cpu_s: float | None = None
        self._fixed_bytes = max_bytes
        self.check_disk()
        remaining = list(pids)
        while not self._opened(remaining, options, folder):
            # A worker ended just now, and perf refuses the whole list for it.
            remaining = [pid for pid in remaining if _exists(pid)]

    def _opened(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> bool:
        """Start perf; False where that failed because one of the processes has gone."""
        if not pids:
            raise SamplerError("there is nothing to sample: the target's processes have ended")
        self._start(pids, options, folder)
        try:
            self.command("ping")
        except BaseException as error:
            self.end()
            if isinstance(error, SamplerError) and not all(map(_exists, pids)):
                return False
            raise
        return True

    def _start(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> None:
        control_read, self._control = os.pipe()
        self._acks, ack_write = os.pipe()
        argv = [
            "perf", "record", "--event", "cpu-clock", "--freq", f"{max(1, round(options.hz))}",
            "--call-graph", f"dwarf,{STACK_BYTES}", "--clockid", "CLOCK_MONOTONIC", "--no-buildid-cache",
            "--mmap-pages", _mmap_pages(), "--max-size", f"{self._allowed_bytes() >> 10}K",
            "--delay", "-1", "--control", f"fd:{control_read},{ack_write}",
            "--output", str(self.data), "--pid", ",".join(map(str, pids)),
        ]  # fmt: skip
        log = folder / "perf.log"
        log.unlink(missing_ok=True)
        try:
            self._perf = Child(argv, log, cpus=options.cpus, pass_fds=(control_read, ack_write))
        except SamplerError:
            os.close(self._control)
            os.close(self._acks)
            raise
        finally:
            os.close(control_read)
            os.close(ack_write)

    @property
    def pid(self) -> int:
        return self._perf.pid

    def _allowed_bytes(self) -> int:
        if self._fixed_bytes is not None:
            return self._fixed_bytes
        return shutil.disk_usage(self.data.parent).free - RESERVE_BYTES

    def check_disk(self) -> None:
        """
        Raises:
            SamplerError: too little space is free to go on.
        """
        if self._allowed_bytes() <= 0:
            raise SamplerError(
                f"less than 1 GiB is free under {self.data.parent}, and perf writes some 32 MB a second", hint=DISK_HINT
            )

    def command(self, word: str) -> None:
        """Send a command and wait until perf has carried it out.

        Raises:
            SamplerError: perf has ended, with the reason.
        """
        try:
            os.write(self._control, f"{word}\n".encode())
        except BrokenPipeError:
            raise self.failure("has ended") from None
        ready, _, _ = select.select([self._acks], [], [], ACK_TIMEOUT_S)
        if not ready:
            raise self.failure(f"did not {word} within {ACK_TIMEOUT_S:g} s")
        if not os.read(self._acks, 64).startswith(b"ack"):
            raise self.failure("has ended")

    def end(self) -> None:
        """End it, firmly where needed, and close the pipes. What it wrote stays."""
        self.cpu_s = self._perf.cpu_seconds()
        try:
            self._perf.end(signal.SIGINT)
        finally:
            for fd in (self._control, self._acks):
                with contextlib.suppress(OSError):
                    os.close(fd)

    def troubles(self) -> list[str]:
        """What perf said about missing data."""
        full = self._disk_trouble()
        return [f"{full}: what came after that is missing"] if full else []

    def failure(self, what: str) -> SamplerError:
        """The error for a perf that did not do as told: a full disk is named as such."""
        full = self._disk_trouble()
        if full:
            return SamplerError(f"perf has ended: {full}", hint=DISK_HINT)
        return self._perf.failure(what)

    def _disk_trouble(self) -> str:
        output = self._perf.output()
        if "No space left" in output:
            return f"the disk that holds {self.data.parent} is full"
        if "size limit reached" in output:
            return "its data left no more than the reserve of the disk free"
        return ""


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _mmap_pages() -> str:
    """Rings large enough that nothing is lost; without privileges the kernel allows half a megabyte."""
    return "16M" if os.geteuid() == 0 else "128"
