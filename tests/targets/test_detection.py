"""Projects are recognised by their files alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from target_helpers import MANAGE, WSGI_APP, write

from profiler.errors import UsageError
from profiler.targets import KINDS, TargetSpec, choose_target
from profiler.targets.detect import bundled_folder

BOLT_SETTINGS = 'INSTALLED_APPS = ["django.contrib.auth", "django_bolt"]\n'
WSGI_SETTINGS = 'INSTALLED_APPS = []\nWSGI_APPLICATION = "site_settings.wsgi.application"\n'
FASTAPI = "from fastapi import FastAPI\nservice = FastAPI()\n"


def chosen(folder: Path, **options: str) -> tuple[str, str]:
    choice = choose_target(TargetSpec(folder=folder, **options))
    assert not choice.bundled
    return choice.kind.name, choice.app.reference


def test_django_with_bolt_installed_is_served_by_runbolt(tmp_path: Path) -> None:
    write(tmp_path, manage=MANAGE, **{"site_settings/settings": BOLT_SETTINGS})
    assert chosen(tmp_path) == ("django-bolt", str(tmp_path / "manage.py"))


def test_bolt_is_found_in_a_package_of_settings(tmp_path: Path) -> None:
    manage = MANAGE.replace("site_settings.settings", "site_settings.settings.local")
    write(tmp_path, manage=manage, **{"site_settings/settings/base": BOLT_SETTINGS, "site_settings/settings/local": ""})
    assert chosen(tmp_path)[0] == "django-bolt"


def test_django_without_bolt_is_served_by_gunicorn(tmp_path: Path) -> None:
    write(tmp_path, manage=MANAGE, **{"site_settings/settings": WSGI_SETTINGS})
    assert chosen(tmp_path) == ("gunicorn", "site_settings.wsgi:application")


def test_a_project_one_folder_down_is_found(tmp_path: Path) -> None:
    write(tmp_path, **{"backend/manage": MANAGE, "backend/site_settings/settings": BOLT_SETTINGS})
    choice = choose_target(TargetSpec(folder=tmp_path))
    assert choice.app.folder == tmp_path / "backend"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (FASTAPI, "service"),
        ("import fastapi as web\nserver: object = web.FastAPI()\n", "server"),
        ("from starlette.applications import Starlette as App\nx = App()\n", "x"),
        ("from litestar import Litestar\napp = Litestar([])\n", "app"),
        ("async def serve(scope, receive, send): ...\n", "serve"),
    ],
)
def test_asgi_applications_are_served_by_uvicorn(tmp_path: Path, source: str, name: str) -> None:
    write(tmp_path, main=source)
    assert chosen(tmp_path) == ("uvicorn", f"main:{name}")


def test_an_application_in_a_package_and_in_src(tmp_path: Path) -> None:
    write(tmp_path, **{"src/shop/app": FASTAPI})
    choice = choose_target(TargetSpec(folder=tmp_path))
    assert (choice.app.reference, choice.app.folder) == ("shop.app:service", tmp_path / "src")


def test_nothing_of_a_project_is_imported(tmp_path: Path) -> None:
    write(tmp_path, main=f"open({str(tmp_path / 'imported')!r}, 'w').close()\n{FASTAPI}")
    chosen(tmp_path)
    assert not (tmp_path / "imported").exists()


def test_a_name_of_another_package_is_no_application(tmp_path: Path) -> None:
    write(tmp_path, main="from mine import FastAPI\napp = FastAPI()\n", app=FASTAPI)
    assert chosen(tmp_path) == ("uvicorn", "app:service")


def test_a_broken_file_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, main="def broken(:\n", app=FASTAPI)
    assert chosen(tmp_path) == ("uvicorn", "app:service")


def test_robyn_needs_a_script_that_starts_it(tmp_path: Path) -> None:
    write(tmp_path, app="from robyn import Robyn\napp = Robyn(__file__)\napp.start()\n")
    assert chosen(tmp_path) == ("robyn", str(tmp_path / "app.py"))


def test_granian_is_chosen_where_the_project_names_it(tmp_path: Path) -> None:
    write(tmp_path, main=FASTAPI)
    (tmp_path / "requirements.txt").write_text("fastapi\ngranian>=2\n")
    assert chosen(tmp_path) == ("granian", "main:service")


def test_granian_is_chosen_where_the_user_names_it(tmp_path: Path) -> None:
    write(tmp_path, main=FASTAPI)
    assert chosen(tmp_path, kind="granian") == ("granian", "main:service")


@pytest.mark.parametrize(("app", "kind"), [("site:app", "uvicorn"), ("serve:app", "gunicorn"), ("low:app", "granian")])
def test_an_import_string_is_served_by_what_its_source_speaks(tmp_path: Path, app: str, kind: str) -> None:
    write(tmp_path, site=FASTAPI, serve=WSGI_APP, low="async def app(scope, proto): ...\n")
    assert chosen(tmp_path, app=app)[0] == kind


def test_an_empty_folder_gets_the_bundled_application_and_says_so(tmp_path: Path) -> None:
    choice = choose_target(TargetSpec(folder=tmp_path))
    assert choice.bundled and choice.kind.name == "django-bolt"
    assert str(tmp_path) in choice.notes[0]


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS if kind.name != "command"])
def test_every_server_has_a_bundled_application(tmp_path: Path, kind: str) -> None:
    choice = choose_target(TargetSpec(folder=tmp_path, kind=kind))
    apps = bundled_folder()
    assert choice.bundled and choice.kind.name == kind and apps is not None and apps in choice.app.folder.parents


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kind": "apache"}, "no target kind apache"),
        ({"kind": "command"}, "no command was given"),
        ({"kind": "uvicorn", "app": "main.py"}, "not an import string: main.py"),
        ({"kind": "robyn", "app": "gone.py"}, "no file gone.py"),
        ({"kind": "django-bolt", "app": "gone/manage.py"}, "no file gone/manage.py"),
        ({"app": "gone.py"}, "can't tell what serves gone.py"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, options: dict[str, str], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_target(TargetSpec(folder=tmp_path, **options))
    assert text in caught.value.message and caught.value.hint
