"""A control group that counts the CPU time of everything a target starts, however short it lives.

The clocks of processes are as exact, but what a process used between the last reading and its end is lost with it.
Needs a writable `cpuacct` hierarchy (control groups, version 1) or a writable version 2 group; there are machines with
neither, and then the clocks have to do.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from pathlib import Path

_PREFIX = "profiler-target"
_numbers = itertools.count(1)


class CpuGroup:
    """An empty group of this process's own. Whoever is put in is counted, with all that it starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._v1 = (path / "cpuacct.usage").exists()
        self._usage = os.open(path / ("cpuacct.usage" if self._v1 else "cpu.stat"), os.O_RDONLY)

    def read_ns(self) -> int:
        """CPU time of all members so far; settled as far as the clocks of its processes are."""
        text = os.pread(self._usage, 4096, 0)
        if self._v1:
            return int(text)
        return int(text.split(None, 2)[1]) * 1000  # the first line is `usage_usec N`

    def has(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return str(pid) in (self.path / "cgroup.procs").read_text().split()
        return False

    def remove(self) -> None:
        """Forget it; every member must have ended. Safe to call again."""
        if self._usage >= 0:
            os.close(self._usage)
            self._usage = -1
        with contextlib.suppress(OSError):
            self.path.rmdir()


def create_group() -> CpuGroup | None:
    """A new group below this process's own, or None where this user may not make one."""
    for own in _own_groups():
        _remove_stale(own)
        path = own / f"{_PREFIX}-{os.getpid()}-{next(_numbers)}"
        try:
            path.mkdir()
        except OSError:
            continue
        try:
            return CpuGroup(path)
        except OSError:
            path.rmdir()
    return None


def _own_groups() -> list[Path]:
    """Folders of the groups this process is in that account CPU time, version 1 first: it counts nanoseconds."""
    mounts = _mounts()
    found = []
    for line in _lines("/proc/self/cgroup"):
        _, controllers, group = line.split(":", 2)
        for name in controllers.split(","):
            if name in mounts:
                root, mount = mounts[name]
                inside = group.removeprefix(root) if root != "/" else group
                found.append((name == "", mount / inside.lstrip("/")))
    return [path for _, path in sorted(found) if path.is_dir()]


def _mounts() -> dict[str, tuple[str, Path]]:
    """(root, mount point) of the `cpuacct` hierarchy, and of version 2 under the empty name."""
    mounts = {}
    for line in _lines("/proc/self/mountinfo"):
        place, _, filesystem = line.partition(" - ")
        fields, kind = place.split(), filesystem.split()
        where = (fields[3], Path(re.sub(r"\\040", " ", fields[4])))
        if kind[0] == "cgroup2":
            mounts[""] = where
        elif kind[0] == "cgroup" and "cpuacct" in kind[2].split(","):
            mounts["cpuacct"] = where
    return mounts


def _remove_stale(own: Path) -> None:
    """Empty groups of profilers that were killed."""
    for group in own.glob(f"{_PREFIX}-*"):
        owner = group.name.split("-")[2]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            with contextlib.suppress(OSError):
                group.rmdir()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
