"""A Django-Bolt worker of the bundled app on one CPU, for the scripts that measure the toolkit itself."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from profiler.model.launch import Launch
from profiler.overlays import overlay_launch
from profiler.targets.ports import free_port

APP = Path(__file__).resolve().parents[1] / "hotpaths/apps/bolt"


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process group, firmly where needed."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)


@contextlib.contextmanager
def serving(cpu: int) -> Iterator[tuple[str, int]]:
    """URL and process of a Django-Bolt worker on one CPU, with the overlay."""
    port = free_port()
    argv = (sys.executable, "manage.py", "runbolt", "--host", "127.0.0.1", "--port", str(port))
    environment = {**os.environ, "HOTPATHS_LOG_LEVEL": "WARNING"}
    launch, overlays = overlay_launch(Launch(argv=argv, env=environment, python=sys.executable), "auto")
    if not overlays:
        sys.exit("there is no overlay with symbols: profiler build django-bolt")
    with tempfile.TemporaryFile() as output:
        server = subprocess.Popen(
            ["taskset", "-c", str(cpu), *launch.argv],
            cwd=APP, env=launch.env, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}/hello"
            deadline = time.monotonic() + 30
            while not answers(url):
                if time.monotonic() > deadline or server.poll() is not None:
                    sys.exit("Django-Bolt does not answer")
                time.sleep(0.05)
            yield url, server.pid
        finally:
            end(server)


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:
        return bool(response.status == 200)
    return False
