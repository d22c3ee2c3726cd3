"""WSGI applications, Django's above all, on gunicorn."""

from __future__ import annotations

from pathlib import Path

from profiler.targets.asgi import find_wsgi, resolve_import_string
from profiler.targets.base import App, Plan, TargetSpec
from profiler.targets.django_project import find_django
from profiler.targets.ports import LOOPBACK


class Gunicorn:
    name = "gunicorn"
    opt_in = False

    def find(self, folder: Path) -> App | None:
        project = find_django(folder)
        if project is not None and project.wsgi:
            return App(reference=project.wsgi, folder=project.folder)
        return find_wsgi(folder)

    def resolve(self, reference: str, folder: Path) -> App:
        return resolve_import_string(reference, folder)

    def plan(self, spec: TargetSpec, app: App, port: int) -> Plan:
        sizes = ["--workers", str(spec.processes)]
        if spec.workers > 1:
            sizes += ["--threads", str(spec.workers)]
        argv = ("-m", "gunicorn", app.reference, "--bind", f"{LOOPBACK}:{port}", *sizes)
        return Plan(argv=argv, module="gunicorn", listeners=spec.processes + 1)  # the master holds the socket too
