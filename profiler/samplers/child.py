"""Programs that samplers start: they die with the toolkit, ignore the terminal's Ctrl-C, and say why they failed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from profiler.errors import SamplerError

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """One running program with its output in a file."""

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        *,
        cpus: tuple[int, ...] = (),
        pass_fds: tuple[int, ...] = (),
        env: dict[str, str] | None = None,
    ) -> None:
        """
        Raises:
            SamplerError: the program is not there or can't be started.
        """
        self.name = Path(argv[0]).name
        self._log = log
        parent = os.getpid()

        def prepare() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the toolkit died between fork and prctl
                os._exit(1)
            if cpus:
                os.sched_setaffinity(0, cpus)

        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=pass_fds,
                    env=env,
                    preexec_fn=prepare,
                    start_new_session=True,
                )
        except OSError as error:
            raise SamplerError(f"{argv[0]} does not start: {error.strerror}") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def cpu_seconds(self) -> float | None:
        """CPU time used so far; None when it has ended."""
        try:
            return time.clock_gettime((~self._process.pid << 3) | 2)
        except OSError:
            return None

    def wait_for_output(self, text: str, timeout_s: float) -> None:
        """Blocks until the program has printed the text.

        Raises:
            SamplerError: it ended before, or printed nothing of the kind in time.
        """
        deadline = time.monotonic() + timeout_s
        while text not in self.output():
            if not self.running:
                raise self.failure("ended before it sampled")
            if time.monotonic() > deadline:
                self.kill()
                raise self.failure(f"was not ready after {timeout_s:g} s")
            time.sleep(0.005)

    def wait_until_it_catches(self, signum: signal.Signals, timeout_s: float) -> None:
        """Blocks until the program handles the signal; before that the signal would end it without a word.

        Raises:
            SamplerError: it ended before, or never did.
        """
        deadline = time.monotonic() + timeout_s
        while not caught_signals(self.pid) & (1 << (signum - 1)):
            if not self.running:
                raise self.failure("ended before it sampled")
            if time.monotonic() > deadline:
                self.kill()
                raise self.failure(f"was not ready after {timeout_s:g} s")
            time.sleep(0.005)

    def end(self, signum: signal.Signals = signal.SIGINT, timeout_s: float = 60) -> int:
        """Ask it to end, wait, and kill it where it does not; its exit status."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signum)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.wait()

    def kill(self) -> None:
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def failure(self, what: str) -> SamplerError:
        """An error that quotes the program's last line."""
        lines = [line.strip() for line in self.output().splitlines() if line.strip()]
        said = f": {lines[-1]}" if lines else ""
        return SamplerError(f"{self.name} {what}{said}", hint=f"its output: {self._log}")


def caught_signals(pid: int) -> int:
    """Signals that a process has handlers for, as a mask; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    masks = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return int(masks[0], 16) if masks else 0  # a zombie has none
