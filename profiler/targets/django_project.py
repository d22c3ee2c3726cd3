"""A Django project as its files show it: manage.py, the settings, the WSGI module."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from profiler.targets.sources import parse, string_value, strings

_SETTINGS = re.compile(r"DJANGO_SETTINGS_MODULE['\"]\s*[,\]]\s*=?\s*['\"]([\w.]+)['\"]")


class DjangoProject(msgspec.Struct, frozen=True, kw_only=True):
    manage: Path
    settings: str
    """Import path of the settings module; empty where manage.py does not name one."""
    bolt: bool
    """True where `django_bolt` is installed in the settings."""
    wsgi: str
    """Import string of the WSGI application; empty where there is none."""

    @property
    def folder(self) -> Path:
        return self.manage.parent


def find_django(folder: Path) -> DjangoProject | None:
    """The project in this folder, or in the one folder directly below that has a manage.py."""
    here = folder / "manage.py"
    if here.is_file():
        return read_django(here)
    below = sorted(folder.glob("[!.]*/manage.py"))
    return read_django(below[0]) if len(below) == 1 else None


def read_django(manage: Path) -> DjangoProject | None:
    """The project of a manage.py; None where the file is something else."""
    try:
        text = manage.read_text(errors="replace")
    except OSError:
        return None
    if "django" not in text:
        return None
    named = _SETTINGS.search(text)
    settings = named.group(1) if named else ""
    files = [*_settings_files(manage.parent, settings), manage]
    trees = [tree for file in files if (tree := parse(file)) is not None]
    bolt = any(text == "django_bolt" or text.startswith("django_bolt.apps") for tree in trees for text in strings(tree))
    wsgi = next((value for tree in trees if (value := string_value(tree, "WSGI_APPLICATION"))), "")
    return DjangoProject(
        manage=manage, settings=settings, bolt=bolt, wsgi=_import_string(wsgi, manage.parent, settings)
    )


def _settings_files(folder: Path, settings: str) -> list[Path]:
    """The settings module and its siblings, where it is a package or is kept in one."""
    if not settings:
        return []
    place = folder.joinpath(*settings.split("."))
    if place.is_dir():
        return sorted(place.glob("*.py"))
    siblings = sorted(place.parent.glob("*.py")) if place.parent.name == "settings" else []
    return [place.with_suffix(".py"), *siblings]


def _import_string(named: str, folder: Path, settings: str) -> str:
    if named:
        module, _, attribute = named.rpartition(".")
        return f"{module}:{attribute}"
    package = settings.split(".")[0]
    if package and (folder / package / "wsgi.py").is_file():
        return f"{package}.wsgi:application"
    return "wsgi:application" if (folder / "wsgi.py").is_file() else ""
