"""The wheel, outside the checkout: commands, a recording as nobody by the recorder that it carries."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from unprivileged import ROOT, as_nobody, folder_of_nobody

from profiler.samplers.recorder_program import CAPABILITIES

BESIDE = Path(sys.executable).parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    argv = [sys.executable, "-m", "pip", "wheel", "-q", *offline, "-w", folder, "."]
    env = {"PATH": f"{BESIDE}:{Path.home()}/.cargo/bin:/usr/bin:/bin", "HOME": str(Path.home())}
    subprocess.run(argv, cwd=ROOT, env=env, check=True)
    (built,) = folder.glob("*.whl")
    return built


def install(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel, and what it depends on from this interpreter's; its folder of programs."""
    place = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    programs = place / "bin"
    pip = [sys.executable, "-m", "pip", "--python", programs / "python"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    (packages,) = place.glob("lib/python3.*/site-packages")
    # A path alone: the checkout's own entries in that folder are not followed.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return programs


def test_it_works_outside_the_checkout_and_as_nobody(wheel: Path) -> None:
    with folder_of_nobody() as folder:
        programs = install(wheel, folder)
        profiler = str(programs / "profiler")
        told = as_nobody(profiler, "--help", folder=folder)
        assert told.returncode == 0 and "doctor" in told.stdout
        where = as_nobody(str(programs / "python"), "-c", "import profiler; print(profiler.__file__)", folder=folder)
        recorder = next(programs.parent.glob("lib/*/site-packages/profiler/samplers/bin/profiler-recorder"))
        assert where.stdout.strip() == str(recorder.parents[2] / "__init__.py")

        doctor = json.loads(as_nobody(profiler, "doctor", "--json", folder=folder).stdout)
        (exact,) = [entry for entry in doctor["samplers"] if entry["name"] == "exact"]
        command = f"setcap {CAPABILITIES}=ep {recorder}"
        assert not exact["usable"] and f"sudo {command};" in exact["fix"]
        subprocess.run(command.split(), check=True)  # what it says, word by word

        app = Path(shutil.copytree(ROOT / "hotpaths" / "apps" / "fastapi", folder / "app"))
        run = str(folder / "run")
        options = ["--sampler", "exact", "--duration", "2", "--warmup", "0.5", "--no-open", "--output", run]
        what = ["--target", "uvicorn", "--app", "main:app", "--endpoint", "/hello"]
        told = as_nobody(profiler, "record", *what, *options, folder=app)
        assert told.returncode in (0, 5), told.stderr  # 5: done, with doubts; two seconds are short
        folded = folder / "stacks.folded"
        shown = as_nobody(profiler, "export", run, "--format", "folded", "--output", str(folded), folder=folder)
        assert shown.returncode == 0, shown.stderr
        assert "FastAPI.__call__" in folded.read_text()
