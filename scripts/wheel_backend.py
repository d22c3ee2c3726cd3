"""Builds wheels: maturin's backend, and before it the recorder as a program, which the wheel carries.

maturin packs a library or a program, not both; a file that stands in the package is packed with it. Without the program
the toolkit works as root only, so a wheel without it is not built.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maturin
from maturin import (  # noqa: F401 - the rest of the backend's interface
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

ROOT = Path(__file__).resolve().parents[1]
PACKED = ROOT / "profiler" / "samplers" / "bin" / "profiler-recorder"


def build_wheel(
    wheel_directory: str, config_settings: Mapping[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    argv = [
        "cargo", "rustc", "--release", "--locked", "-p", "profiler-exact", "--bin", "profiler-recorder",
        "--message-format", "json-render-diagnostics", "--", "-C", "strip=symbols",
    ]  # fmt: skip
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    PACKED.parent.mkdir(exist_ok=True)
    shutil.copy(_executable(done.stdout), PACKED)
    try:
        return str(maturin.build_wheel(wheel_directory, config_settings, metadata_directory))
    finally:
        shutil.rmtree(PACKED.parent)


def _executable(messages: str) -> str:
    """Where cargo has put the program."""
    found = [json.loads(line).get("executable") for line in messages.splitlines() if '"executable"' in line]
    return str([path for path in found if path][-1])
