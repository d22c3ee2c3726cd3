"""The recorder of the exact sampler as a process: commands and answers as JSON lines.

It is a process of its own so that it can have privileges that the toolkit has not, and so that unwinding costs the
toolkit nothing. It ends when its input closes, and everything it has in the kernel ends with it.
"""

from __future__ import annotations

import ctypes
import os
import select
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from profiler.errors import SamplerError
from profiler.samplers.recorder_program import COMMAND_VARIABLE, capable_program

ANSWER_TIMEOUT_S = 60.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_SERVE = "import sys; sys.path.insert(0, sys.argv[1]); from profiler._native import serve_recorder; serve_recorder()"


def recorder_command() -> tuple[str, ...]:
    """How the recorder is started here."""
    named = os.environ.get(COMMAND_VARIABLE)
    if named:
        return tuple(shlex.split(named))
    if os.geteuid() != 0 and (capable := capable_program()) is not None:
        return (str(capable),)
    root = Path(__file__).resolve().parents[2]
    return (sys.executable, "-S", "-E", "-c", _SERVE, str(root))


class RecorderProcess:
    """One running recorder."""

    def __init__(self, log: Path) -> None:
        """
        Raises:
            SamplerError: it can't be started.
        """
        argv = recorder_command()
        self._log = log
        parent = os.getpid()

        def prepare() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the toolkit died between fork and prctl
                os._exit(1)

        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=output,
                    preexec_fn=prepare,
                    start_new_session=True,
                )
        except OSError as error:
            raise SamplerError(f"the recorder {argv[0]} does not start: {error.strerror}") from error
        self._rest = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Have a command carried out and return the answer.

        Raises:
            SamplerError: it failed, with the recorder's own reason; or the recorder ended.
        """
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(msgspec.json.encode({"do": do, **arguments}) + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._ended(do) from None
        answer: dict[str, Any] = msgspec.json.decode(self._read_line(do))
        if "error" in answer:
            raise SamplerError(answer["error"], hint=answer["hint"] or None)
        return answer

    def _read_line(self, do: str) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None
        while b"\n" not in self._rest:
            self._rest += self._read_some(stdout, do)
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _read_some(self, stdout: BinaryIO | Any, do: str) -> bytes:
        ready, _, _ = select.select([stdout], [], [], ANSWER_TIMEOUT_S)
        if not ready:
            self.close()
            raise SamplerError(f"the recorder did not answer to {do} in {ANSWER_TIMEOUT_S:g} s")
        part = os.read(stdout.fileno(), 1 << 16)
        if not part:
            raise self._ended(do)
        return part

    def _ended(self, do: str) -> SamplerError:
        self.close()
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        said = f": {lines[-1]}" if lines else ""
        return SamplerError(f"the recorder ended at {do}{said}", hint=f"its output: {self._log}")

    def close(self) -> None:
        """End it, whatever it is doing, and wait for that."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            try:
                self._process.kill()
            except PermissionError:  # under sudo it is root's; its input is closed, which ends it
                return
            self._process.wait()
