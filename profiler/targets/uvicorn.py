"""ASGI applications (FastAPI, Starlette, Litestar, …) on uvicorn."""

from __future__ import annotations

from pathlib import Path

from profiler.targets.asgi import find_asgi, resolve_import_string
from profiler.targets.base import App, Plan, TargetSpec
from profiler.targets.ports import LOOPBACK


class Uvicorn:
    name = "uvicorn"
    opt_in = False

    def find(self, folder: Path) -> App | None:
        return find_asgi(folder)

    def resolve(self, reference: str, folder: Path) -> App:
        return resolve_import_string(reference, folder)

    def plan(self, spec: TargetSpec, app: App, port: int) -> Plan:
        notes = ("uvicorn has one worker in each process; --workers was not used",) if spec.workers > 1 else ()
        where = ("--host", LOOPBACK, "--port", str(port))
        sizes = ("--workers", str(spec.processes)) if spec.processes > 1 else ()
        return Plan(argv=("-m", "uvicorn", app.reference, *where, *sizes), module="uvicorn", notes=notes)
