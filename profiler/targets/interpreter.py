"""The interpreter a target runs on, and what is installed in it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from profiler.errors import TargetError, UsageError

# Packages whose version says something about where a request's CPU time goes.
PACKAGES = (
    "django-bolt", "django", "fastapi", "starlette", "litestar", "pydantic", "pydantic-core", "msgspec", "orjson",
    "uvicorn", "uvloop", "httptools", "gunicorn", "gevent", "robyn", "granian", "asgiref",
)  # fmt: skip

_PYTHON_HINT = "--python takes an interpreter or the folder of a virtual environment"

_QUESTION = """
import importlib.metadata, importlib.util, json, platform, sys
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
def importable(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
free = getattr(sys, "_is_gil_enabled", lambda: True)()
print(json.dumps({
    "python": platform.python_implementation() + " " + platform.python_version() + ("" if free else " free-threaded"),
    "packages": {name: found for name in sys.argv[2:] if (found := version(name))},
    "importable": not sys.argv[1] or importable(sys.argv[1]),
}))
"""


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    origin: str
    """Why this one: `--python`, the project's environment, …"""


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    python: str
    """Implementation and version."""
    packages: dict[str, str]
    importable: bool


def find_interpreter(wanted: str | None, folder: Path) -> Interpreter:
    """The one the user named (a file, a command, or the folder of a virtual environment), else the project's own
    environment, else the active one, else the one this runs on. UsageError where the named one is none."""
    if wanted is not None:
        return Interpreter(path=_named(wanted), origin="--python")
    for parent in (folder, *folder.parents):
        for name in (".venv", "venv"):
            if (path := _of_environment(parent / name)) is not None:
                return Interpreter(path=path, origin="the project's environment")
        if (parent / ".git").exists() or parent == Path.home():
            break
    active = os.environ.get("VIRTUAL_ENV")
    if active and (path := _of_environment(Path(active))) is not None:
        return Interpreter(path=path, origin="the active environment")
    return own_interpreter()


def own_interpreter() -> Interpreter:
    return Interpreter(path=sys.executable, origin="the toolkit's own environment")


def python_of(program: str) -> str:
    """The whole path of a command's program where that is a Python interpreter, else empty."""
    if not re.fullmatch(r"(python|pypy)[0-9.]*t?", Path(program).name):
        return ""
    return shutil.which(program) or ""


def interpreter_of(program: str) -> Interpreter | None:
    """The interpreter behind a command's program: itself, or the one named in a script's first line."""
    path = python_of(program)
    if not path and (script := shutil.which(program)):
        first = b""
        with contextlib.suppress(OSError), Path(script).open("rb") as file:
            first = file.readline(300)
        named = first[2:].decode(errors="replace").split() if first.startswith(b"#!") else []
        path = python_of(named[-1]) if named else ""
    return Interpreter(path=path, origin="the command") if path else None


def inspect(interpreter: Interpreter, module: str, folder: Path, env: dict[str, str]) -> Inspection:
    """Ask the interpreter itself. TargetError where it does not run."""
    try:
        done = subprocess.run(
            [interpreter.path, "-c", _QUESTION, module, *PACKAGES],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )
        lines = done.stdout.splitlines()
        if done.returncode == 0 and lines:
            return msgspec.convert(json.loads(lines[-1]), Inspection)
        problem = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        problem = str(error)
    raise TargetError(f"the interpreter {interpreter.path} does not run: {problem}", hint="choose one with --python")


def installed_packages(places: Iterable[Path]) -> dict[str, str]:
    """Versions of the packages that matter, read from folders of installed packages without running anything."""
    found = {}
    for place in places:
        for entry in place.glob("*.dist-info"):
            name, _, version = entry.name.removesuffix(".dist-info").rpartition("-")
            name = name.replace("_", "-").lower()
            if name in PACKAGES:
                found[name] = version
    return dict(sorted(found.items()))


def _named(wanted: str) -> str:
    path = Path(wanted).expanduser()
    if path.is_dir():
        found = _of_environment(path)
        if found is None:
            raise UsageError(f"no interpreter in {wanted}", hint=_PYTHON_HINT)
        return found
    program = shutil.which(str(path))
    if program is None:
        raise UsageError(f"no interpreter {wanted}", hint=_PYTHON_HINT)
    # Links are kept as they are: in a virtual environment the link itself says which environment is meant.
    return str(Path(program).absolute())


def _of_environment(folder: Path) -> str | None:
    path = folder / "bin" / "python"
    return str(path.absolute()) if path.exists() and os.access(path, os.X_OK) else None
