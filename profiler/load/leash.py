"""Bind this process to its parent and its CPUs; as a program, then become another one.

Arguments: pid of the parent, the CPUs as a comma-separated list or nothing, the program and its arguments.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def bind(parent: int, cpus: str) -> None:
    """Die with the parent, by whatever it dies; run on these CPUs only. Exits where the parent has gone already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    # Ctrl-C reaches the whole group of a terminal; the parent decides when the load ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if cpus:
        os.sched_setaffinity(0, [int(cpu) for cpu in cpus.split(",")])


if __name__ == "__main__":
    bind(int(sys.argv[1]), sys.argv[2])
    os.execvp(sys.argv[3], sys.argv[3:])
