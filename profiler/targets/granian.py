"""Applications on Granian, where the project asks for it or the user does."""

from __future__ import annotations

from pathlib import Path

from profiler.targets.asgi import find_asgi, find_rsgi, find_wsgi, interface_of, resolve_import_string
from profiler.targets.base import App, Plan, TargetSpec
from profiler.targets.django_project import find_django
from profiler.targets.ports import LOOPBACK


class Granian:
    name = "granian"
    opt_in = True

    def find(self, folder: Path) -> App | None:
        project = find_django(folder)
        if project is not None and project.wsgi:
            return App(reference=project.wsgi, folder=project.folder)
        return find_rsgi(folder) or find_asgi(folder) or find_wsgi(folder)

    def resolve(self, reference: str, folder: Path) -> App:
        return resolve_import_string(reference, folder)

    def plan(self, spec: TargetSpec, app: App, port: int) -> Plan:
        interface = interface_of(app)
        threads = "--blocking-threads" if interface == "wsgi" else "--runtime-threads"
        return Plan(
            argv=(
                *("-m", "granian", "--interface", interface, "--host", LOOPBACK, "--port", str(port)),
                *("--workers", str(spec.processes), threads, str(spec.workers), app.reference),
            ),
            module="granian",
        )
