"""`as_nobody.py COMMAND …`, as root: the command as the user nobody, without any capability.

What nobody may not reach (an interpreter or a checkout below root's home) is shown to it at its own place, in a mount
namespace of this process alone (`unshare --mount`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

NOBODY = 65534


def closed_above(path: Path) -> Path | None:
    """The topmost folder on the way to a path that others may not enter."""
    ways = [*reversed(path.parents), path]
    return next((folder for folder in ways if not folder.stat().st_mode & 0o001), None)


def show(paths: list[Path]) -> None:
    """Put an open, empty folder over what is closed, and the paths into it again."""
    kept: list[tuple[Path, str]] = []
    closed = {path: folder for path in paths if (folder := closed_above(path)) is not None}
    for path in closed:
        place = tempfile.mkdtemp(dir="/dev/shm")
        subprocess.run(["mount", "--bind", path, place], check=True)
        kept.append((path, place))
    for folder in sorted(set(closed.values())):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", folder], check=True)
    for path, place in kept:
        path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", place, path], check=True)
        subprocess.run(["umount", place], check=True)
        Path(place).rmdir()


def main() -> None:
    show([Path(sys.base_prefix), Path(__file__).resolve().parents[2]])
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    os.execv(sys.argv[1], sys.argv[1:])


main()
