"""A picture in another tool's format, to standard output or to a file."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from profiler.cli.console import print_json, status_console
from profiler.errors import UsageError


def check_output(path: Path | None, form: str, *, as_json: bool) -> None:
    """Before anything is computed.

    Raises:
        UsageError: two things would go to standard output, or bytes to a terminal.
    """
    if path is None and as_json:
        raise UsageError("--json needs -o FILE: both would go to standard output", hint="add -o FILE, or drop --json")
    if path is None and form == "pprof" and sys.stdout.isatty():
        raise UsageError("pprof is binary and standard output is a terminal", hint="add -o FILE")


def write_output(data: bytes, path: Path | None, *, as_json: bool) -> None:
    """To the file, and say so; to standard output where none is named.

    Raises:
        UsageError: as `write_whole`.
    """
    if path is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    write_whole(path, data)
    if as_json:
        print_json({"schema": "profiler.export/1", "file": str(path), "bytes": len(data)})
    else:
        status_console().print(f"wrote {path} ({len(data):,} bytes)", markup=False)


def write_whole(path: Path, data: bytes) -> None:
    """Write under a temporary name beside the file, readable by its owner, then rename.

    Raises:
        UsageError: the folder is missing or can't be written, the disk is full, or the path is a folder.
    """
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise UsageError(f"can't write {path}: {error.strerror}", hint="choose another place with -o") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
