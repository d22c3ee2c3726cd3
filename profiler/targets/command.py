"""Any command as a target: `profiler record -- COMMAND`. `{port}` in it is replaced by a free port."""

from __future__ import annotations

import shutil
from pathlib import Path

from profiler.errors import UsageError
from profiler.targets.base import App, Plan, TargetSpec

PLACE = "{port}"


class Command:
    name = "command"
    opt_in = False

    def find(self, folder: Path) -> App | None:
        return None

    def resolve(self, reference: str, folder: Path) -> App:
        raise UsageError("a command takes no --app", hint="write it after --: profiler record -- python server.py")

    def plan(self, spec: TargetSpec, app: App, port: int) -> Plan:
        argv = tuple(part.replace(PLACE, str(port)) for part in spec.command)
        if shutil.which(argv[0], path=None) is None and not (app.folder / argv[0]).is_file():
            raise UsageError(f"no program {argv[0]}", hint="is it spelled as you would type it in a shell?")
        return Plan(argv=argv)


def served_url(spec: TargetSpec, port: int) -> str | None:
    """Where the command serves: the user's --url, or the port it was given; None where it does not serve."""
    if spec.url is not None:
        return spec.url.replace(PLACE, str(port))
    if any(PLACE in part for part in spec.command):
        return f"http://127.0.0.1:{port}"
    return None
