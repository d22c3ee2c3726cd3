"""What a target printed: its last lines for an error, and whether it logs every request."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|NotFound|Configured)\b.*: ")
_LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR)\b")
# Django-Bolt's forked processes queue their records for a thread that the fork did not copy.
_SATURATED = re.compile(r"log queue saturated, dropped \d+ record")
_TAIL_BYTES = 64 * 1024
_WRITABLE = 0o3  # access mode bits: O_WRONLY or O_RDWR


def tail(path: Path, size: int = _TAIL_BYTES) -> str:
    """The end of a file as text; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read(size).decode(errors="replace")
    except OSError:
        return ""


def last_lines(path: Path, count: int = 6) -> str:
    """The last lines that say something, indented, after the exceptions further up: a server that gives up because its
    workers failed ends with a traceback of its own. Empty where there are none."""
    lines = [line.rstrip() for line in tail(path).splitlines() if line.strip()]
    last = lines[-count:]
    causes = dict.fromkeys(line for line in lines[:-count] if _EXCEPTION.match(line) and line not in last)
    return "".join(f"\n    {line[:300]}" for line in [*list(causes)[-2:], *last])


def access_log(path: str, log: Path, pids: Iterable[int]) -> str:
    """`on (INFO)` where lines that name the requested path turn up in the target's output or in a file it writes,
    else `off`. Asked after requests were answered, for settings are no proof and lines are."""
    if _SATURATED.search(tail(log)):
        return "on (records are made and dropped: nothing writes them)"
    asked = re.compile(rf"(?<![\w/.]){re.escape(path.partition('?')[0])}(?![\w/])")
    for source in (log, *_written_logs(pids, log)):
        for line in reversed(tail(source).splitlines()):
            if asked.search(line) and re.search(r"\b[1-5]\d\d\b", line):
                level = _LEVEL.search(line)
                place = "" if source == log else f", {source.name}"
                return f"on ({level.group(1) if level else 'level unknown'}{place})"
    return "off"


def _written_logs(pids: Iterable[int], log: Path) -> tuple[Path, ...]:
    """Regular files with a name like a log's that the processes have open for writing."""
    found: dict[Path, None] = {}
    for pid in pids:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as descriptors:
            for entry in descriptors:
                with contextlib.suppress(OSError, ValueError):
                    place = Path(os.readlink(entry.path))  # noqa: PTH115 - the name is wanted, not the file
                    if ".log" in place.name and place != log and place.is_file() and _is_writable(pid, entry.name):
                        found[place] = None
    return tuple(found)


def _is_writable(pid: int, descriptor: str) -> bool:
    for line in Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text().splitlines():
        if line.startswith("flags:"):
            return bool(int(line.split()[1], 8) & _WRITABLE)
    return False
