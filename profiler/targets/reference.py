"""The reference server of `hotpaths`: one server in which each optimization has a switch."""

from __future__ import annotations

from pathlib import Path

from profiler.errors import UsageError
from profiler.targets.base import App, Plan, TargetSpec
from profiler.targets.ports import LOOPBACK


class ReferenceServer:
    name = "hotpaths-server"
    opt_in = True

    def find(self, folder: Path) -> App | None:
        """It comes with the toolkit, beside the bundled applications; no other folder holds one."""
        server = folder.parent.parent / "server" / "switches.py"
        return App(reference="hotpaths.server", folder=folder) if server.is_file() else None

    def resolve(self, reference: str, folder: Path) -> App:
        raise UsageError(
            f"the reference server takes no application, and --app {reference} was given",
            hint="its switches are chosen by --set logging=off,bodies=copy,…",
        )

    def plan(self, spec: TargetSpec, app: App, port: int) -> Plan:
        return Plan(
            argv=(
                *("-m", app.reference, "--host", LOOPBACK, "--port", str(port)),
                *("--processes", str(spec.processes), "--workers", str(spec.workers)),
                *(("--set", spec.settings) if spec.settings else ()),
            ),
            module="hotpaths_native",
            listeners=spec.processes,
        )
