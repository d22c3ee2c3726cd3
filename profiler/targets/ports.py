"""TCP ports on the loopback: a free one, and who listens on one."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LISTEN = "0A"
_IN_USE = re.compile(r"address (is )?already in use|port \S+ is already in use|EADDRINUSE|os error 98", re.IGNORECASE)


def free_port() -> int:
    """A port nobody listens on now. Somebody may be quicker than the server: then the server says so."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    """True where the port can't be bound on the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def says_in_use(log: str) -> bool:
    """True where a server's output says that its port is taken."""
    return _IN_USE.search(log) is not None


def listeners(port: int, pids: Iterable[int] | None = None) -> tuple[int, ...]:
    """The processes (of these, or of all that can be read) that hold a socket listening on this port."""
    inodes = _listening_inodes(port)
    if not inodes:
        return ()
    if pids is None:
        pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208
    return tuple(pid for pid in pids if _holds(pid, inodes))


def _listening_inodes(port: int) -> set[str]:
    """Links of the listening sockets, as `/proc/PID/fd` shows them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found


def _holds(pid: int, links: set[str]) -> bool:
    held = set()
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as descriptors:
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                held.add(os.readlink(descriptor.path))  # noqa: PTH115 - not a path to follow
    return not held.isdisjoint(links)
