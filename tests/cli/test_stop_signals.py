"""A stopping signal ends the wait whenever it arrives: before it, during it, in a finalizer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import weakref

import pytest

from profiler.cli.stop_signals import STOPPING, StopSignals


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_before_the_wait_ends_it(number: signal.Signals) -> None:
    with StopSignals() as stop:
        os.kill(os.getpid(), number)
        stop.wait()


class Thing:
    pass


def test_a_signal_in_a_weak_references_callback_is_not_lost() -> None:
    # Python prints and drops an exception raised there, KeyboardInterrupt too.
    thing = Thing()
    reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
    with StopSignals() as stop:
        del thing
        assert reference() is None
        stop.wait()


def test_other_signals_do_not_end_the_wait() -> None:
    program = """
import signal, sys
from profiler.cli.stop_signals import StopSignals
signal.signal(signal.SIGUSR1, lambda *_: print("noticed", flush=True))
with StopSignals() as stop:
    print("waiting", flush=True)
    stop.wait()
print("ended", flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline() == "noticed\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "ended\n"
    assert process.returncode == 0


def test_handlers_and_wakeup_descriptor_are_as_before() -> None:
    before = [signal.getsignal(number) for number in STOPPING]
    with StopSignals():
        assert [signal.getsignal(number) for number in STOPPING] != before
    assert [signal.getsignal(number) for number in STOPPING] == before
    assert signal.set_wakeup_fd(-1) == -1
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_background_jobs_ignored_interrupt_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignals() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGTERM)
            stop.wait()
    finally:
        signal.signal(signal.SIGINT, before)
