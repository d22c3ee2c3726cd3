"""Commands as the user nobody."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from profiler.samplers.recorder_program import COMMAND_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
NOBODY = pwd.getpwnam("nobody")


@contextlib.contextmanager
def folder_of_nobody() -> Iterator[Path]:
    """A folder that belongs to nobody: pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="profiler-nobody-"))
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def as_nobody(*argv: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a folder, with these variables added."""
    base = {name: value for name, value in os.environ.items() if name not in (COMMAND_VARIABLE, "PYTHONPATH")}
    base |= {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    become = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        sys.executable,
        str(Path(__file__).with_name("as_nobody.py")),
    ]
    return subprocess.run(
        [*become, *argv], env=base | env, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
