"""The generator's process as two pipes: commands in, events out, every wait with an end."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from profiler.errors import ProfilerError

MODULE = "profiler.load.worker"
_CHUNK = 1 << 16


class GeneratorProcess:
    """A generator's process. `end` must be called, whatever happens."""

    def __init__(self, order: dict[str, Any], cpus: tuple[int, ...], log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                # -P: a module of the user's folder must not take the place of one of ours.
                [sys.executable, "-P", "-m", MODULE, str(os.getpid()), ",".join(map(str, cpus))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)
        self._log = log
        self._rest = b""
        self._events: deque[dict[str, Any]] = deque()
        self.pid = self._process.pid
        try:
            self.command(order)
        except ProfilerError:
            self.end()
            raise

    def command(self, command: dict[str, Any]) -> None:
        """Write one line; ProfilerError where the generator has gone."""
        line = memoryview(msgspec.json.encode(command) + b"\n")
        try:
            while line:
                line = line[self._input.write(line) :]
        except OSError:
            raise self._gone() from None

    def event(self, patience_s: float) -> dict[str, Any]:
        """The next event. ProfilerError where the generator has gone, or says nothing for that long."""
        deadline = time.monotonic() + patience_s
        while not self._events:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise ProfilerError(f"the load generator has said nothing for {patience_s:.0f} s")
            chunk = os.read(self._output.fileno(), _CHUNK)
            if not chunk:
                raise self._gone()
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self._events.extend(msgspec.json.decode(line) for line in lines)
        return self._events.popleft()

    def end(self, patience_s: float = 0.0) -> None:
        """Wait that long for the process to end by itself, then end it."""
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._selector.close()
        self._output.close()

    def _gone(self) -> ProfilerError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        said = f": {lines[-1]}" if lines else ""
        return ProfilerError(f"the load generator has ended (status {self._process.returncode}){said}")
