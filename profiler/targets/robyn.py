"""A Robyn script, run as a program."""

from __future__ import annotations

from pathlib import Path

from profiler.errors import UsageError
from profiler.targets.base import App, Plan, TargetSpec
from profiler.targets.ports import LOOPBACK
from profiler.targets.sources import calls_method, candidate_files, find_call, parse


class Robyn:
    name = "robyn"
    opt_in = False

    def find(self, folder: Path) -> App | None:
        for _, file in candidate_files(folder):
            tree = parse(file)
            name = find_call(tree, ("Robyn",), "robyn") if tree is not None else None
            if tree is not None and name is not None and calls_method(tree, name, "start"):
                return App(reference=str(file), folder=folder)
        return None

    def resolve(self, reference: str, folder: Path) -> App:
        script = folder / reference
        if not script.is_file():
            raise UsageError(f"no file {reference}", hint="--app takes the path of the Robyn script")
        return App(reference=str(script), folder=folder)

    def plan(self, spec: TargetSpec, app: App, port: int) -> Plan:
        return Plan(
            argv=(app.reference, "--processes", str(spec.processes), "--workers", str(spec.workers)),
            env={"ROBYN_HOST": LOOPBACK, "ROBYN_PORT": str(port)},
            module="robyn",
            worker_threads="actix-rt",
            # A single process shuts its server down and then stays in its event loop for ever.
            grace_s=1.0,
        )
