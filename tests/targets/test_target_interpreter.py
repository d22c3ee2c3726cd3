"""The target runs on its own interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from profiler.errors import TargetError, UsageError
from profiler.targets.interpreter import Interpreter, find_interpreter, inspect, installed_packages, interpreter_of


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    place = tmp_path / "project" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    return place


def test_the_projects_environment_comes_before_the_active_one(environment: Path) -> None:
    inner = environment.parent / "src"
    inner.mkdir()
    assert find_interpreter(None, inner).path == str(environment / "bin" / "python")


def test_the_active_environment_comes_before_the_own_one(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(environment))
    assert find_interpreter(None, tmp_path).path == str(environment / "bin" / "python")
    monkeypatch.delenv("VIRTUAL_ENV")
    assert find_interpreter(None, tmp_path).path == sys.executable


def test_an_environment_or_an_interpreter_can_be_named(environment: Path, tmp_path: Path) -> None:
    python = str(environment / "bin" / "python")
    assert find_interpreter(str(environment), tmp_path).path == python
    assert find_interpreter(python, tmp_path).path == python


@pytest.mark.parametrize("name", ["no-such-python", "."])
def test_a_named_one_that_is_none_is_an_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no interpreter"):
        find_interpreter(name, tmp_path)


def test_it_tells_its_version_and_what_is_installed(environment: Path, tmp_path: Path) -> None:
    own = inspect(Interpreter(path=sys.executable, origin=""), "django_bolt", tmp_path, dict(os.environ))
    assert own.importable and own.packages["django-bolt"] and own.python.startswith("CPython 3.")
    bare = inspect(find_interpreter(str(environment), tmp_path), "django_bolt", tmp_path, dict(os.environ))
    assert not bare.importable and not bare.packages


def test_one_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such library >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(TargetError, match="no such library"):
        inspect(Interpreter(path=str(broken), origin=""), "", tmp_path, {})


def test_a_script_names_its_interpreter() -> None:
    script = Path(sys.executable).with_name("uvicorn")
    found = interpreter_of(str(script))
    assert found is not None and Path(found.path).name.startswith("python")
    assert interpreter_of("sh") is None


def test_packages_are_read_without_running_anything(tmp_path: Path) -> None:
    for name in ("django_bolt-0.13.0.dist-info", "Django-6.1.dist-info", "somebody_else-1.dist-info"):
        (tmp_path / name).mkdir()
    assert installed_packages([tmp_path]) == {"django": "6.1", "django-bolt": "0.13.0"}
