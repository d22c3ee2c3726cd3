"""Where the table lives, and how it comes into being: outside the project, on first use, whole or not at all."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path

from hotpaths import contract

PATH_VARIABLE = "HOTPATHS_DATABASE"
"""Environment variable that names another file."""
# The name carries the shape of the table, so that a newer shape never meets an older file.
FILE_NAME = f"users-{contract.STORED_ROWS}-v1.sqlite3"


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "hotpath-profiler"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):
        pass
    folder = Path(tempfile.gettempdir()) / f"hotpath-profiler-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def path() -> Path:
    """The file, which need not exist yet."""
    named = os.environ.get(PATH_VARIABLE)
    return Path(named).absolute() if named else _cache_folder() / FILE_NAME


def prepare(file: Path) -> Path:
    """Creates and fills the table where it is missing. Several processes may do so at once: the last rename wins,
    and all of them are the same."""
    if _is_whole(file):
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    os.close(handle)
    unfinished = Path(name)
    try:
        _fill(unfinished)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return file


def _is_whole(file: Path) -> bool:
    # An empty file is what SQLite leaves where somebody opened a database that was not there.
    if not file.is_file():
        return False
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    try:
        stored: int = connection.execute("SELECT count(*) FROM users").fetchone()[0]
    except sqlite3.DatabaseError:
        return False
    finally:
        connection.close()
    return stored == contract.STORED_ROWS


def _fill(file: Path) -> None:
    connection = sqlite3.connect(file)
    try:
        with connection:
            connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL)")
            connection.executemany(
                "INSERT INTO users (id, name, email) VALUES (:id, :name, :email)",
                (contract.user(number) for number in range(1, contract.STORED_ROWS + 1)),
            )
    finally:
        connection.close()
