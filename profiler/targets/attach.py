"""A process that somebody else started: followed, measured, never stopped and never moved."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from profiler.errors import TargetError, UsageError
from profiler.model.load import Endpoint
from profiler.model.run import TargetInfo
from profiler.targets.base import TargetSpec
from profiler.targets.interpreter import installed_packages
from profiler.targets.logs import access_log
from profiler.targets.masking import mask
from profiler.targets.ports import listeners
from profiler.targets.processes import (
    command_line,
    descendants,
    describe,
    is_zombie,
    living,
    parent_of,
    start_ticks,
)
from profiler.targets.readiness import await_answer

_SITE = re.compile(r"(/.*/(?:site|dist)-packages)/")
_VERSION = re.compile(r"/(?:lib)?python(3\.\d+t?)")


class AttachedTarget:
    """A live process with everything it starts."""

    def __init__(self, spec: TargetSpec) -> None:
        """TargetError where the process is gone, a zombie, a kernel thread, or somebody else's."""
        self._pid = find_by_url(spec.url) if spec.pid is None and spec.url is not None else spec.pid or 0
        self.url = spec.url
        self._asked = ""
        _check_usable(self._pid)
        self._born = start_ticks(self._pid)
        self._command = command_line(self._pid)

    def wait_ready(self, endpoint: Endpoint | None, timeout_s: float) -> int:
        self._check()
        if self.url is None:
            return 0
        length = await_answer(self.url, endpoint, timeout_s, self._check)
        self._asked = endpoint.path if endpoint is not None else ""
        return length

    def pids(self) -> tuple[int, ...]:
        below = descendants(self._pid)
        return living((self._pid, *below)) if self.ended() is None else living(below)

    def ended(self) -> str | None:
        if is_zombie(self._pid) or start_ticks(self._pid) != self._born:
            return f"process {self._pid} has ended"
        return None

    def cpu_group(self) -> None:
        """None: a process that somebody else started stays where it is."""

    def info(self) -> TargetInfo:
        pids = self.pids()
        mapped = _mapped_files(self._pid)
        log = _standard_output(self._pid)
        return TargetInfo(
            kind="attach",
            name=" ".join(mask(self._command))[:120],
            command=mask(self._command),
            url=self.url or "",
            python=_python_version(mapped),
            packages=installed_packages(sorted({Path(m.group(1)) for name in mapped if (m := _SITE.match(name))})),
            processes=tuple(process for pid in pids if (process := describe(pid)) is not None),
            cpus=_own_cpus(self._pid),
            access_log=access_log(self._asked, log, pids) if self._asked and log is not None else "unknown",
        )

    def stop(self) -> None:
        """Nothing: it was running before."""

    def _check(self) -> None:
        if (ended := self.ended()) is not None:
            raise TargetError(ended)


def find_by_url(url: str) -> int:
    """The process on this machine that serves a URL: of several that share its port, the one above the others."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"not a URL of a server: {url}", hint="write it like http://127.0.0.1:8000")
    holders = listeners(parts.port or (443 if parts.scheme == "https" else 80))
    if not holders:
        raise TargetError(
            f"no process of this machine that can be read listens at {url}", hint="start it, or name it with --pid"
        )
    parents = {pid: parent_of(pid) for pid in holders}
    tops = {pid for pid in holders if parents[pid] not in holders}
    if len(tops) > 1:  # each has a socket of its own: look for the one that started them
        tops = {parents[pid] for pid in tops}
    if len(tops) > 1 or tops <= {0, 1}:
        raise TargetError(
            f"several processes listen at {url}: {', '.join(map(str, holders))}", hint="choose with --pid"
        )
    return tops.pop()


def _check_usable(pid: int) -> None:
    hint = "find it with: ps -eo pid,user,args"
    if pid == os.getpid():
        raise UsageError(f"process {pid} is the profiler itself", hint=hint)
    if start_ticks(pid) is None:
        raise TargetError(f"there is no process {pid}", hint=hint)
    if is_zombie(pid):
        raise TargetError(f"process {pid} has ended and only waits to be collected", hint=hint)
    if not command_line(pid):
        raise TargetError(f"process {pid} is a kernel thread", hint=hint)
    owner = Path(f"/proc/{pid}").stat().st_uid
    if os.geteuid() not in (0, owner):
        raise TargetError(
            f"process {pid} belongs to another user (uid {owner})", hint="run the profiler as that user or as root"
        )


def _mapped_files(pid: int) -> set[str]:
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    return {fields[5] for line in lines if len(fields := line.split(None, 5)) == 6 and fields[5].startswith("/")}


def _python_version(mapped: set[str]) -> str:
    """As the names of the mapped files tell it: nothing of another's environment is run."""
    versions = sorted({match.group(1) for name in mapped if (match := _VERSION.search(name))})
    return f"Python {versions[0]}" if versions else ""


def _standard_output(pid: int) -> Path | None:
    """The file the process prints to, where it is one."""
    for descriptor in (1, 2):
        try:
            place = Path(f"/proc/{pid}/fd/{descriptor}").readlink()
        except OSError:
            continue
        if place.is_file():
            return place
    return None


def _own_cpus(pid: int) -> tuple[int, ...]:
    try:
        return tuple(sorted(os.sched_getaffinity(pid)))
    except OSError:
        return ()
