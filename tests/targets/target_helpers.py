"""What the tests of this folder share: waiting for a condition, small projects, a started target."""

from __future__ import annotations

import contextlib
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from profiler.model.launch import Launch
from profiler.targets import RunningTarget, TargetSpec, start_target
from profiler.targets.processes import living


def eventually(condition: Callable[[], object], *, within_s: float = 20.0, what: str = "the condition") -> None:
    """Polls until the condition is true; fails where it does not become so."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not become true within {within_s} s"
        time.sleep(0.01)


def all_gone(pids: Iterable[int]) -> bool:
    return not living(pids)


def unchanged(launch: Launch) -> Launch:
    return launch


@contextlib.contextmanager
def started(spec: TargetSpec, logs: Path, wrap: Callable[[Launch], Launch] = unchanged) -> Iterator[RunningTarget]:
    """A target that is stopped at the end, whatever happens."""
    target = start_target(spec, wrap=wrap, logs=logs)
    try:
        yield target
    finally:
        target.stop()


def write(folder: Path, **files: str) -> Path:
    """Python files by module path, with `/` for folders: write(tmp, **{"pkg/main": "…"})."""
    for name, text in files.items():
        place = folder / f"{name}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(textwrap.dedent(text))
    return folder


MANAGE = """
    import os, sys
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""

WSGI_APP = """
    def app(environ, start_response):
        found = environ["PATH_INFO"] == "/hello"
        start_response("200 OK" if found else "404 Not Found", [("Content-Type", "text/plain")])
        return [b"hello" if found else b"nothing here"]
"""
