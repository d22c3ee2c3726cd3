"""CPU time of a target at an instant, from the kernel's own clocks.

Each process has a CPU clock with nanosecond resolution that includes its finished threads. The kernel brings it up to
date when a thread is switched, when another one is woken on the same CPU, and at every timer tick: in between, the
clock of a process that runs without a break stands still for up to a tick (4 ms at 250 Hz, 1.6 % of a block of 0.25 s).
So a thread of this process wakes up on each CPU of the target at the very instant, which makes the kernel settle the
account there, and the clocks are read right after. A control group, where one can be made, is brought up to date at the
same moments; it also keeps what a process used between the last reading and its end.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from profiler.targets.cpu_group import CpuGroup

_PROCESS_CPU_CLOCK = 2
_WAKER_PATIENCE_S = 0.1


def process_cpu_ns(pid: int) -> int:
    """CPU time of all threads the process has and had, in nanoseconds; OSError where it is gone."""
    return time.clock_gettime_ns((~pid << 3) | _PROCESS_CPU_CLOCK)


class CpuMeter:
    """CPU time of a set of processes that come and go. Only differences between readings have a meaning."""

    def __init__(
        self, pids: Callable[[], Iterable[int]], group: CpuGroup | None = None, cpus: Iterable[int] = ()
    ) -> None:
        """`pids` names the live processes of the target whenever it is asked; `group` counts their CPU time, where
        there is one; `cpus` are those they run on, by default those they may run on now."""
        self._pids = pids
        self._group = group
        self._last: dict[int, int] = {}
        self._ended_ns = 0
        self._marks: list[str] = []
        self.latest_ns = 0
        """The longest that a reading came after its instant, so far."""
        self._cpus = tuple(cpus)
        self.read()
        self._marks.clear()
        self._cpus = self._cpus or _allowed_cpus(self._last)

    def read(self) -> int:
        """Nanoseconds of CPU used so far, by clocks that are up to a tick old. What a process that has ended had at
        the last reading stays counted."""
        return self._read()

    def read_at(self, instant_ns: int) -> int:
        """Sleep until the instant (CLOCK_MONOTONIC), settle the clocks, read. At once where it has passed."""
        wakers = [threading.Thread(target=_wake_on, args=(cpu, instant_ns), daemon=True) for cpu in self._cpus]
        for waker in wakers:
            waker.start()
        with _promptly():
            _sleep_until(instant_ns)
            self.latest_ns = max(self.latest_ns, time.monotonic_ns() - instant_ns)
            # That the wakers were woken is enough; on a busy CPU they may have to wait before they run.
            value = self._read()
        for waker in wakers:
            waker.join(_WAKER_PATIENCE_S)
        return value

    def changes(self) -> tuple[str, ...]:
        """`worker 12 exited`, `worker 15 started`, …, as noticed by readings since the last call."""
        marks = tuple(self._marks)
        self._marks.clear()
        return marks

    @property
    def source(self) -> str:
        """What is read, for the run's notes."""
        return "clocks of the processes" if self._group is None else "control group"

    def _read(self) -> int:
        if self._group is None:
            return self._read_clocks()
        value = self._group.read_ns()
        self._read_clocks()  # for its marks
        return value

    def _read_clocks(self) -> int:
        # Clocks first, membership after: who is new has used next to nothing yet, and the instant is now.
        for pid in tuple(self._last):
            if not self._read_clock(pid):
                self._bury(pid)
        now = set(self._pids())
        for pid in self._last.keys() - now:
            self._bury(pid)
        for pid in sorted(now - self._last.keys()):
            if self._read_clock(pid):
                self._marks.append(f"worker {pid} started")
        return self._ended_ns + sum(self._last.values())

    def _read_clock(self, pid: int) -> bool:
        try:
            value = process_cpu_ns(pid)
        except OSError:
            return False
        if value < self._last.get(pid, 0):
            self._bury(pid)  # the number was given to another process
            self._marks.append(f"worker {pid} started")
        self._last[pid] = value
        return True

    def _bury(self, pid: int) -> None:
        self._ended_ns += self._last.pop(pid)
        self._marks.append(f"worker {pid} exited")


def _allowed_cpus(pids: Iterable[int]) -> tuple[int, ...]:
    cpus: set[int] = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            cpus |= os.sched_getaffinity(pid)
    return tuple(sorted(cpus))


def _wake_on(cpu: int, instant_ns: int) -> None:
    with contextlib.suppress(OSError):  # a CPU this process may not use: the tick has to do
        os.sched_setaffinity(0, (cpu,))
    _sleep_until(instant_ns)


@contextlib.contextmanager
def _promptly() -> Iterator[None]:
    """Run the calling thread before all ordinary ones, where that is allowed: on a CPU that is shared with a busy load
    generator it would otherwise wake up milliseconds late now and then. It sleeps nearly all of the time."""
    before = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
    if before not in (os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_IDLE):
        yield
        return
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        # The flag stays: whoever may not take it back could not leave the fast lane otherwise.
        os.sched_setscheduler(0, before | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def _sleep_until(instant_ns: int) -> None:
    while (left := instant_ns - time.monotonic_ns()) > 0:
        time.sleep(left / 1e9)
