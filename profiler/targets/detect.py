"""Which server to start: what the user said, else what the folder holds, else the bundled application."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import msgspec

from profiler.errors import UsageError
from profiler.targets.asgi import interface_of
from profiler.targets.base import App, TargetKind, TargetSpec
from profiler.targets.sources import declares

_BUNDLED = ("bolt", "fastapi", "django", "robyn")
_SERVER_OF = {"asgi": "uvicorn", "wsgi": "gunicorn", "rsgi": "granian"}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    kind: TargetKind
    app: App
    bundled: bool = False
    notes: tuple[str, ...] = ()


def choose(spec: TargetSpec, kinds: Sequence[TargetKind]) -> Choice:
    """UsageError where the user named something that is not there."""
    by_name = {kind.name: kind for kind in kinds}
    if spec.kind is not None and spec.kind not in by_name:
        raise UsageError(f"no target kind {spec.kind}", hint=f"one of: {', '.join(by_name)}")
    if spec.command:
        app = App(reference=spec.command[0], folder=spec.folder)
        return Choice(kind=by_name["command"], app=app)
    if spec.kind == "command":
        raise UsageError("no command was given", hint="write it after --: profiler record -- python server.py")
    if spec.app is not None:
        kind = by_name[spec.kind or _kind_of_reference(spec.app, spec.folder, kinds)]
        return Choice(kind=kind, app=kind.resolve(spec.app, spec.folder))
    if spec.kind is not None:
        kind = by_name[spec.kind]
        app_here = kind.find(spec.folder)
        return Choice(kind=kind, app=app_here) if app_here is not None else _bundled(spec, kinds, kind)
    return detect(spec.folder, kinds) or _bundled(spec, kinds, None)


def detect(folder: Path, kinds: Sequence[TargetKind]) -> Choice | None:
    """The first kind that finds an application in this folder."""
    for kind in kinds:
        if kind.opt_in and not declares(folder, kind.name):
            continue
        app = kind.find(folder)
        if app is not None:
            return Choice(kind=kind, app=app)
    return None


def bundled_folder() -> Path | None:
    """Where the applications that come with the toolkit lie."""
    spec = importlib.util.find_spec("hotpaths")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return next((folder for place in places if (folder := Path(place) / "apps").is_dir()), None)


def _bundled(spec: TargetSpec, kinds: Sequence[TargetKind], wanted: TargetKind | None) -> Choice:
    apps = bundled_folder()
    folders = [apps / name for name in _BUNDLED] if apps is not None else []
    own = [choice for folder in folders if (choice := detect(folder, kinds)) is not None]
    choice = next((choice for choice in own if choice.kind is (wanted or kinds[0])), None)
    if choice is None and wanted is not None:
        app = next((app for folder in folders if (app := wanted.find(folder)) is not None), None)
        choice = Choice(kind=wanted, app=app) if app is not None else None
    if choice is None:
        what = f"application for {wanted.name}" if wanted is not None else "project of a known kind"
        raise UsageError(
            f"no {what} in {spec.folder}",
            hint="name it with --app (main:app, manage.py, a script), or start it yourself: profiler record -- COMMAND",
        )
    note = f"no {'application for ' + wanted.name if wanted else 'known project'} in {spec.folder}: the bundled one ran"
    return Choice(kind=choice.kind, app=choice.app, bundled=True, notes=(note,))


def _kind_of_reference(reference: str, folder: Path, kinds: Sequence[TargetKind]) -> str:
    if ":" in reference:
        return _SERVER_OF[interface_of(App(reference=reference, folder=folder))]
    script = folder / reference
    place = script if script.is_dir() else script.parent
    found = detect(place, kinds)
    if found is not None and Path(found.app.reference).name == (script.name if script.is_file() else "manage.py"):
        return found.kind.name
    raise UsageError(
        f"can't tell what serves {reference}",
        hint="say it with --target, or start it yourself: profiler record -- COMMAND",
    )
