"""The installed Rust toolchain."""

from __future__ import annotations

import shutil
import subprocess

from profiler.errors import UsageError


def installed_toolchain() -> tuple[str, str]:
    """(name for RUSTUP_TOOLCHAIN, first line of `rustc --version`); the name is empty without rustup.

    Raises:
        UsageError: no Rust compiler.
    """
    name = ""
    if shutil.which("rustup"):
        listed = _output(["rustup", "toolchain", "list"]).splitlines()
        installed = [line.split()[0] for line in listed if line and not line.startswith("no ")]
        stable = [toolchain for toolchain in installed if toolchain.startswith("stable")]
        name = next(iter(stable or installed), "")
    rustc = ["rustc", f"+{name}", "--version"] if name else ["rustc", "--version"]
    if not shutil.which("rustc"):
        raise UsageError("no Rust compiler: rustc is not on PATH", hint="install stable Rust with rustup")
    return name, _output(rustc).strip()


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(f"`{' '.join(command)}` failed: {error}") from error
