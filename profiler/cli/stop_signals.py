"""Waiting for Ctrl-C or SIGTERM without a moment in which they can be missed."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Between `__enter__` and `__exit__` a stopping signal is noted and no longer raises KeyboardInterrupt.

    An exception raised by a signal handler is lost where Python may not raise (a finalizer, a weak reference's
    callback), and one that arrives between Python's last look at its signals and the system call that waits is seen
    only after that call: for ever, when the wait has no end. The interpreter's C handler writes each signal to a pipe
    instead, which stays readable until `wait` reads it. Main thread only, as everything about signals in Python.
    """

    def __enter__(self) -> StopSignals:
        self._readable, self._writable = os.pipe()
        os.set_blocking(self._writable, False)
        self._handlers: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in STOPPING}
        self._wakeup = signal.set_wakeup_fd(self._writable, warn_on_full_buffer=False)
        for number in STOPPING:
            # A shell starts background jobs with SIGINT ignored, and that is kept.
            if self._handlers[number] is not signal.SIG_IGN:
                signal.signal(number, _noted)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._writable)
        os.close(self._readable)

    def wait(self) -> None:
        """Return when a stopping signal has arrived, also when it came before this call."""
        while os.read(self._readable, 1)[0] not in STOPPING:
            pass


def _noted(_number: int, _frame: FrameType | None) -> None:
    """The C handler has already written the signal's number to the pipe."""
