"""Several processes on one port: forked before anything is started, ended together."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
from collections.abc import Callable

from hotpaths.server.application import serve
from hotpaths.server.options import Options

_PR_SET_PDEATHSIG = 1


def _reserve(options: Options) -> socket.socket:
    """A socket that holds the port without listening: connections go to the processes, which share it."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    holder = socket.socket(family, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind((options.host, options.port))
    return holder


def serve_together(options: Options, ready: Callable[[int], None]) -> int:
    """Serves in `options.processes` children until a signal; the exit status.

    A child that ends by itself ends all: a server that goes on with fewer processes than it was asked for would be
    measured as something it is not.
    """
    with _reserve(options) as holder:
        port: int = holder.getsockname()[1]
        # Signals wait until this process asks for them; children take them again.
        signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        reader, writer = os.pipe()
        children = [_fork(options, port, writer) for _ in range(options.processes)]
        os.close(writer)
        try:
            if not _all_ready(reader, len(children)):
                sys.stderr.write("hotpaths.server: a process ended before it was ready\n")
                return _end(children, 1)
        finally:
            os.close(reader)
        ready(port)
        return _watch(children)


_AWAITED = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}


def _fork(options: Options, port: int, writer: int) -> int:
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == parent:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
            serve(options, port, lambda _: _say_ready(writer))
            status = 0
    except BaseException as error:
        sys.stderr.write(f"hotpaths.server: {error}\n")
    finally:
        sys.stderr.flush()
        # The parent's clean-up is the parent's.
        os._exit(status)


def _say_ready(writer: int) -> None:
    os.write(writer, b"1")
    os.close(writer)


def _all_ready(reader: int, expected: int) -> bool:
    seen = 0
    while seen < expected:
        select.select([reader], [], [])
        said = os.read(reader, expected)
        # The last writer is gone: whoever has not said so is not going to.
        if not said:
            return False
        seen += len(said)
    return True


def _watch(children: list[int]) -> int:
    while True:
        if signal.sigwait(_AWAITED) != signal.SIGCHLD:
            return _end(children, 0)
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended:
            sys.stderr.write(f"hotpaths.server: process {ended} ended by itself (status {status}); ending the others\n")
            children.remove(ended)
            return _end(children, 1)


def _end(children: list[int], status: int) -> int:
    for child in children:
        os.kill(child, signal.SIGTERM)
    for child in children:
        _, ended = os.waitpid(child, 0)
        if ended:
            status = 1
    return status
