"""Applications of the server interfaces ASGI, RSGI and WSGI in plain Python files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from profiler.errors import UsageError
from profiler.targets.base import App
from profiler.targets.sources import candidate_files, find_application, find_call, parse

# Package and the class whose instance is the application.
_FRAMEWORKS = (
    ("fastapi", "FastAPI"), ("starlette", "Starlette"), ("litestar", "Litestar"), ("quart", "Quart"),
    ("blacksheep", "Application"), ("sanic", "Sanic"),
)  # fmt: skip
_WSGI_FRAMEWORKS = (("flask", "Flask"), ("falcon", "App"), ("bottle", "Bottle"))
_PARAMETERS = {
    "asgi": ("scope", "receive", "send"),
    "wsgi": ("environ", "start_response"),
    "rsgi": ("scope", "proto"),
}


def find_asgi(folder: Path) -> App | None:
    """The first ASGI application: of a known framework, else a function of that calling convention, else Django's."""
    return _find(folder, _FRAMEWORKS, "asgi", ("django", "get_asgi_application"))


def find_wsgi(folder: Path) -> App | None:
    """The first WSGI application that is not kept by a manage.py."""
    return _find(folder, _WSGI_FRAMEWORKS, "wsgi", ("django", "get_wsgi_application"))


def find_rsgi(folder: Path) -> App | None:
    return _find(folder, (), "rsgi", None)


def resolve_import_string(reference: str, folder: Path) -> App:
    """`module:attribute`, checked for its form; UsageError for anything else."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(\))?", reference):
        raise UsageError(f"not an import string: {reference}", hint="--app takes module:attribute, such as main:app")
    return App(reference=reference, folder=folder)


def interface_of(app: App) -> str:
    """asgi, wsgi or rsgi: what the module's source says, asgi where it says nothing."""
    module, _, attribute = app.reference.partition(":")
    place = app.folder.joinpath(*module.split("."))
    tree = parse(place.with_suffix(".py")) or parse(place / "__init__.py")
    if tree is None:
        return "asgi"
    for interface, parameters in _PARAMETERS.items():
        if find_application(tree, parameters) == attribute:
            return interface
    if any(find_call(tree, (name,), package) == attribute for package, name in _WSGI_FRAMEWORKS):
        return "wsgi"
    if find_call(tree, ("get_wsgi_application",), "django") == attribute:
        return "wsgi"
    return "asgi"


def _find(
    folder: Path, frameworks: tuple[tuple[str, str], ...], interface: str, django: tuple[str, str] | None
) -> App | None:
    for module, file in candidate_files(folder):
        tree = parse(file)
        if tree is not None and (name := _application(tree, frameworks, interface, django)) is not None:
            root = folder / "src" if (folder / "src") in file.parents else folder
            return App(reference=f"{module}:{name}", folder=root)
    return None


def _application(
    tree: ast.Module, frameworks: tuple[tuple[str, str], ...], interface: str, django: tuple[str, str] | None
) -> str | None:
    for package, name in (*frameworks, *((django,) if django else ())):
        if (found := find_call(tree, (name,), package)) is not None:
            return found
    return find_application(tree, _PARAMETERS[interface])
