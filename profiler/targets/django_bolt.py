"""Django-Bolt, served by its own `runbolt` command."""

from __future__ import annotations

from pathlib import Path

from profiler.errors import UsageError
from profiler.targets.base import App, Plan, TargetSpec
from profiler.targets.django_project import find_django
from profiler.targets.ports import LOOPBACK


class DjangoBolt:
    name = "django-bolt"
    opt_in = False

    def find(self, folder: Path) -> App | None:
        project = find_django(folder)
        if project is None or not project.bolt:
            return None
        return App(reference=str(project.manage), folder=project.folder)

    def resolve(self, reference: str, folder: Path) -> App:
        manage = folder / reference
        if manage.is_dir():
            manage /= "manage.py"
        if not manage.is_file():
            raise UsageError(f"no file {reference}", hint="--app takes the path of the project's manage.py")
        return App(reference=str(manage), folder=manage.parent)

    def plan(self, spec: TargetSpec, app: App, port: int) -> Plan:
        sizes = ("--processes", str(spec.processes), "--workers", str(spec.workers))
        return Plan(
            argv=(app.reference, "runbolt", "--host", LOOPBACK, "--port", str(port), *sizes),
            module="django_bolt",
            worker_threads="actix-rt",
            listeners=spec.processes,  # each process has a socket of its own
            # Forked processes queue their records for a thread that the fork did not copy: made, and never written.
            hides_access_log=spec.processes > 1,
        )
