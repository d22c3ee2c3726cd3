"""A process tree under a supervisor: started, watched, and ended so that nothing is left."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from profiler.errors import TargetError
from profiler.model.launch import Launch
from profiler.targets import supervisor
from profiler.targets.cpu_group import CpuGroup, create_group
from profiler.targets.processes import belongs, descendants, living

MARKER = "PROFILER_TARGET"
START_TIMEOUT_S = 20.0
GRACE_S = 5.0


class Supervised:
    """The target's processes, from the first one's start until `stop`.

    Whatever happens, something ends them: the supervisor, when this process is gone; its guard, when the supervisor is
    gone; `stop`, when both are, for then this process has adopted the orphans; and the parent-death signal, when all
    three are killed at once.
    """

    def __init__(self, launch: Launch, *, log: Path, cpus: tuple[int, ...] = ()) -> None:
        """TargetError where the program can't be started."""
        self.group: CpuGroup | None = create_group()
        """Counts the CPU time of all of them; None where groups can't be made here."""
        self._marker = f"{MARKER}={secrets.token_hex(8)}".encode()
        self._events = b""
        self._status: int | None = None
        self._error = ""
        self._closed = False
        self._supervisor = 0
        self.first = 0
        """The target's first process."""
        supervisor.prctl(supervisor.PR_SET_CHILD_SUBREAPER, 1)
        order = supervisor.Order(
            parent=os.getpid(),
            argv=list(launch.argv),
            env={**launch.env, MARKER: self._marker.decode().partition("=")[2]},
            folder=launch.folder or str(Path.cwd()),
            log=str(log),
            cpus=list(cpus),
            group=str(self.group.path) if self.group is not None else "",
        )
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        try:
            self._tell(json.dumps(order) + "\n")
            self._await_start(launch)
            if self.group is not None and not self.group.has(self.first):
                self.group.remove()
                self.group = None
        except BaseException:
            self.stop(grace_s=0.0)
            raise

    def ended(self) -> str | None:
        """None while the first process lives, else how it ended."""
        self._take_events(0.0)
        if self._status is None:
            return "its supervisor was killed" if self._closed or self._guard.poll() is not None else None
        if self._status < 0:
            return f"it was killed by {signal.Signals(-self._status).name}"
        return f"it ended with status {self._status}"

    def pids(self) -> tuple[int, ...]:
        """Live processes, the first one first."""
        below = descendants(self._guard.pid) if self._guard.poll() is None else self._adopted()
        alive = living(pid for pid in below if pid != self._supervisor)
        return tuple(sorted(alive, key=lambda pid: pid != self.first))

    def stop(self, grace_s: float = GRACE_S) -> None:
        """Ask, wait for `grace_s`, kill; returns when no process is left. Safe to call again."""
        with contextlib.suppress(OSError, ValueError):
            self._tell(f"stop {grace_s}\n")
        try:
            self._guard.wait(grace_s + 5.0)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._guard.kill()
            self._guard.wait()
        finally:
            self._sweep()
            self._take_events(0.0)
            for pipe in (self._guard.stdin, self._guard.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            if self.group is not None:
                self.group.remove()

    def _tell(self, line: str) -> None:
        assert self._guard.stdin is not None
        data = memoryview(line.encode())
        while data:
            data = data[self._guard.stdin.write(data) or 0 :]

    def _await_start(self, launch: Launch) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.first:
            came = self._take_events(deadline - time.monotonic())
            if self._error:
                raise TargetError(f"can't start {self._error}", hint="check the command and its path")
            if not came:
                raise TargetError(f"the supervisor of {launch.argv[0]} did not start")

    def _take_events(self, timeout_s: float) -> bool:
        """Reads what the supervisor has reported, waiting for the first line; False where nothing came."""
        stream = self._guard.stdout
        came = False
        while stream is not None and not stream.closed:
            ready, _, _ = select.select([stream], [], [], max(timeout_s, 0.0))
            chunk = os.read(stream.fileno(), 4096) if ready else b""
            if not chunk:
                self._closed = self._closed or bool(ready)
                break
            *lines, self._events = (self._events + chunk).split(b"\n")
            for line in lines:
                self._note(json.loads(line))
                came, timeout_s = True, 0.0
        return came

    def _note(self, event: dict[str, Any]) -> None:
        if event["event"] == "started":
            self.first = event["pid"]
            self._supervisor = event["supervisor"]
        elif event["event"] == "failed":
            self._error = event["error"]
        elif event["event"] == "exited":
            self._status = event["status"]

    def _adopted(self) -> list[int]:
        """What has become a child of this process because the guard is gone, and all below."""
        own = (self._supervisor, self.first)
        return [pid for pid in descendants(os.getpid()) if belongs(pid, sessions=own, marker=self._marker)]

    def _sweep(self) -> None:
        """Kill and collect what guard and supervisor could not, because they were killed."""
        while left := self._adopted():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in left:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)
