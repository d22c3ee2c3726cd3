"""Parent of a target: starts it, adopts every process it leaves behind, and ends all of them.

A program of its own that needs nothing but the standard library, so that it starts in a few 10 ms and runs by file
path (`python -I -S supervisor.py`). It sleeps while the target runs.

Standard input: one JSON line, the order (see `Order`), later lines `stop SECONDS`. End of input, the end of the
process that started it, or a termination signal stop the target too. Standard output: one JSON line per event:
`started` (pid, supervisor), `failed` (error), `exited` (status as of `waitstatus_to_exitcode`).

It is two processes: a guard waits for the supervisor proper. Where that is killed, the guard inherits the target's
processes and ends them, whether they heed the gentle signal or not.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypedDict

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_WITHOUT_PARENT_S = 2.0
ORPHAN_GRACE_S = 1.0
KILL_INTERVAL_S = 0.02


class Order(TypedDict):
    parent: int
    """The process that must be alive; 0 asks for no check."""
    argv: list[str]
    env: dict[str, str]
    folder: str
    log: str
    """File that standard output and error of the target are appended to."""
    cpus: list[int]
    group: str
    """Control group for CPU accounting, or empty."""


def prctl(option: int, value: int) -> None:
    """Linux prctl with one argument; OSError where it fails."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def children(pid: int) -> Iterator[int]:
    """Direct children of a process, zombies included; nothing where it is gone."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - bare names, many times a second
    except OSError:
        return
    for thread in threads:
        with contextlib.suppress(OSError):
            yield from map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())


def descendants(pid: int) -> list[int]:
    """Every process below a process, parents before their children."""
    found: list[int] = []
    level = list(children(pid))
    while level:
        found.extend(level)
        level = [child for parent in level for child in children(parent)]
    return found


class Supervisor:
    """The state of one target's life."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.target = 0
        self.stopping = False
        self.firm_at = 0.0
        self.orphans_asked = False
        self.input = b""
        self.wake, wake_writer = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop(GRACE_WITHOUT_PARENT_S))

    def run(self, parent: int | None) -> int:
        """Start the target and sleep until nothing of it is left. `parent` becomes readable when that has ended."""
        os.setsid()
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._start()
        watched = select.poll()
        for descriptor in (0, self.wake, parent):
            if descriptor is not None:
                watched.register(descriptor, select.POLLIN)
        while self._reap():
            for descriptor, _ in watched.poll(KILL_INTERVAL_S * 1e3 if self.stopping else None):
                if descriptor == self.wake:
                    _drain(self.wake)
                elif descriptor == parent or not self._listen():
                    watched.unregister(descriptor)
                    self.stop(GRACE_WITHOUT_PARENT_S)
            if self.stopping:
                self._end()
        return 0

    def stop(self, grace_s: float) -> None:
        """Ask the target to end; what is left after `grace_s` is killed."""
        deadline = time.monotonic() + grace_s
        if self.stopping:
            self.firm_at = min(self.firm_at, deadline)
            return
        self.stopping, self.firm_at = True, deadline
        _signal([self.target] if self.target else [], signal.SIGTERM)

    def _start(self) -> None:
        error, error_writer = os.pipe()
        supervisor = os.getpid()
        self.target = os.fork()
        if self.target == 0:
            os.close(error)
            _become_target(self.order, supervisor, error_writer)
        os.close(error_writer)
        with os.fdopen(error, "rb") as reader:
            message = reader.read().decode()
        if message:
            _report(event="failed", error=message)
        else:
            _report(event="started", pid=self.target, supervisor=supervisor)

    def _reap(self) -> bool:
        """Collect what has ended; False when no descendant is left, for then there is no child to wait for."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self.target:
                    _report(event="exited", pid=pid, status=os.waitstatus_to_exitcode(status))
                    self.target = 0
        return False

    def _listen(self) -> bool:
        """Take the lines that have come; False at the end of input."""
        chunk = os.read(0, 4096)
        self.input += chunk
        *lines, self.input = self.input.split(b"\n")
        for line in lines:
            word, _, seconds = line.partition(b" ")
            if word == b"stop":
                self.stop(float(seconds))
        return bool(chunk)

    def _end(self) -> None:
        """One step towards the end: orphans of a target that has gone are asked once more, then all are killed."""
        left = descendants(os.getpid())
        if time.monotonic() >= self.firm_at:
            _signal(left, signal.SIGKILL)
        elif not self.target and not self.orphans_asked:
            self.orphans_asked = True
            self.firm_at = min(self.firm_at, time.monotonic() + ORPHAN_GRACE_S)
            _signal(left, signal.SIGTERM)


def guard(supervisor: int) -> int:
    """Wait for the supervisor, then end what it has left."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    for descriptor in (0, 1):
        os.close(descriptor)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.waitpid(supervisor, 0)
    _signal(descendants(os.getpid()), signal.SIGTERM)
    firm_at = time.monotonic() + ORPHAN_GRACE_S
    with contextlib.suppress(ChildProcessError):
        while True:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                if time.monotonic() >= firm_at:
                    _signal(descendants(os.getpid()), signal.SIGKILL)
                time.sleep(KILL_INTERVAL_S)
    return 0


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _become_target(order: Order, supervisor: int, error: int) -> NoReturn:
    """In the forked child: leave the supervisor's session and become the target's first process."""
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:
            os._exit(1)
        if order["cpus"]:
            os.sched_setaffinity(0, order["cpus"])
        if order["group"]:
            with contextlib.suppress(OSError):  # whoever started us looks whether it worked
                Path(order["group"], "cgroup.procs").write_text("0")
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, copy in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, copy)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(order["folder"])
        os.execvpe(order["argv"][0], order["argv"], order["env"])
    except OSError as failure:
        os.write(error, _start_error(order, failure).encode())
    except ValueError as failure:
        os.write(error, f"{order['argv'][0]}: {failure}".encode())
    os._exit(127)


def _start_error(order: Order, failure: OSError) -> str:
    named = (order["folder"], order["log"])
    subject = failure.filename if failure.filename in named else order["argv"][0]
    return f"{subject}: {failure.strerror}"


def _parent_descriptor(parent: int) -> int | None:
    """A descriptor that becomes readable when the parent ends, also by kill -9."""
    if not parent:
        return None
    descriptor = os.pidfd_open(parent)
    if os.getppid() != parent:
        sys.exit(1)
    return descriptor


def _drain(descriptor: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(descriptor, 512):
            pass


def _report(**event: Any) -> None:
    with contextlib.suppress(OSError):  # whoever started us may have gone
        os.write(1, json.dumps(event).encode() + b"\n")


def _read_order() -> tuple[Order, bytes]:
    taken = b""
    while b"\n" not in taken:
        chunk = os.read(0, 1 << 16)
        if not chunk:
            sys.exit(1)
        taken += chunk
    line, _, rest = taken.partition(b"\n")
    order: Order = json.loads(line)
    return order, rest


def main() -> int:
    order, rest = _read_order()
    parent = _parent_descriptor(order["parent"])
    child = os.fork()
    if child:
        status = guard(child)
        if order["group"]:
            with contextlib.suppress(OSError):
                Path(order["group"]).rmdir()
        return status
    supervisor = Supervisor(order)
    supervisor.input = rest
    return supervisor.run(parent)


if __name__ == "__main__":
    sys.exit(main())
