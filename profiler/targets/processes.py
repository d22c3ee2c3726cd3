"""Processes of a target as /proc shows them."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Container, Iterable
from pathlib import Path

from profiler.model.run import ProcessInfo
from profiler.targets.supervisor import children, descendants

__all__ = [
    "belongs", "children", "command_line", "descendants", "describe", "is_zombie", "living", "parent_of", "start_ticks",
]  # fmt: skip


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; OSError where the process is gone."""
    text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return text[text.rindex(")") + 2 :].split()


def is_zombie(pid: int) -> bool:
    """True for a process that has ended and waits to be collected; False where it is gone."""
    with contextlib.suppress(OSError, ValueError):
        return _stat(pid)[0] in "ZX"
    return False


def start_ticks(pid: int) -> int | None:
    """Start of the process in clock ticks since boot, which tells a reused number from the old process."""
    with contextlib.suppress(OSError, ValueError):
        return int(_stat(pid)[19])
    return None


def parent_of(pid: int) -> int:
    """The process that started it, or took it over; 0 where it is gone."""
    with contextlib.suppress(OSError, ValueError):
        return int(_stat(pid)[1])
    return 0


def living(pids: Iterable[int]) -> tuple[int, ...]:
    """Those that exist and have not ended, in the given order."""
    alive = []
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            if _stat(pid)[0] not in "ZX":
                alive.append(pid)
    return tuple(alive)


def command_line(pid: int) -> tuple[str, ...]:
    """Arguments of the process; empty where it is gone or a kernel thread."""
    with contextlib.suppress(OSError):
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        return tuple(part.decode(errors="replace") for part in raw.rstrip(b"\0").split(b"\0")) if raw else ()
    return ()


def describe(pid: int) -> ProcessInfo | None:
    """Name, parent and threads by name; None where it is gone."""
    names: Counter[str] = Counter()
    try:
        with os.scandir(f"/proc/{pid}/task") as threads:
            for thread in threads:
                with contextlib.suppress(OSError):
                    names[Path(thread.path, "comm").read_text(errors="replace").strip()] += 1
        name = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
        return ProcessInfo(pid=pid, parent=int(_stat(pid)[1]), name=name, threads=dict(sorted(names.items())))
    except (OSError, ValueError):
        return None


def belongs(pid: int, *, sessions: Container[int], marker: bytes) -> bool:
    """True where the process is in one of the sessions, or carries the marker in its environment."""
    with contextlib.suppress(OSError):
        if os.getsid(pid) in sessions:
            return True
        return marker in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False
