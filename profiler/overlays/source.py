"""A package's source distribution: fetched by pip, unpacked, its pinned toolchain and strip settings understood."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

from profiler.errors import UsageError


def fetch_sdist(package: str, version: str, folder: Path, toolchain: str) -> Path:
    """Download and unpack the source distribution; the folder with its pyproject.toml.

    Raises:
        UsageError: no source distribution of this version was published, or it is no maturin project.
    """
    command = [
        sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--no-binary", package,
        "--dest", str(folder), f"{package}=={version}",
    ]  # fmt: skip
    # pip asks the build backend for metadata, and with it the toolchain that the package pins: override that here too.
    env = {**os.environ, "RUSTUP_TOOLCHAIN": toolchain}
    done = subprocess.run(command, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, check=False)
    archives = sorted(folder.glob("*.tar.gz"))
    if done.returncode or not archives:
        raise _no_source(package, version, done.stderr)
    try:
        with tarfile.open(archives[0]) as archive:
            archive.extractall(folder / "source", filter="data")
    except (tarfile.TarError, OSError) as error:
        raise UsageError(f"{archives[0].name} can't be unpacked: {error}") from error
    roots = [path.parent for path in (folder / "source").glob("*/pyproject.toml")]
    if not roots or _read_toml(roots[0] / "pyproject.toml").get("build-system", {}).get("build-backend") != "maturin":
        raise UsageError(
            f"{package} {version} is not built by maturin", hint="only Rust extensions built by maturin can be rebuilt"
        )
    return roots[0]


def _no_source(package: str, version: str, output: str) -> UsageError:
    """Tell a missing source distribution from any other failure, and name the newest version that has one."""
    known = re.search(r"\(from versions: (.*)\)", output)
    if known is None or known[1] == "none":
        return UsageError(f"the sources of {package} {version} could not be fetched: {_why(output)}")
    newest = known[1].split(", ")[-1]
    return UsageError(
        f"{package} {version} was published without a source distribution",
        hint=f"the newest version with sources is {newest}: install that one, or take the names of function ranges",
    )


def _why(output: str) -> str:
    """The first cause that pip or the build backend names, which is the innermost one that says what was missing."""
    causes = re.findall(r"Caused by:\s*\n\s*(\S.*)", output)
    errors = re.findall(r"(?m)^ERROR:? *(.*)$", output)
    if causes:
        network = [cause for cause in causes if "resolve" in cause or "network" in cause or "not found" in cause]
        return "; ".join(dict.fromkeys(network or causes[-1:]))
    return errors[-1] if errors else output.strip()[-200:]


def pinned_toolchain(source: Path) -> str | None:
    """The channel that `rust-toolchain.toml` (or the older `rust-toolchain`) asks for."""
    for name in ("rust-toolchain.toml", "rust-toolchain"):
        path = source / name
        if path.is_file():
            text = path.read_text()
            try:
                channel = tomllib.loads(text).get("toolchain", {}).get("channel")
            except tomllib.TOMLDecodeError:
                channel = text.strip()
            return str(channel) if channel else None
    return None


def keep_symbols(source: Path) -> bool:
    """Switch off `strip` under `[tool.maturin]`, which would win over the profile; True where it was on."""
    path = source / "pyproject.toml"
    if not _read_toml(path).get("tool", {}).get("maturin", {}).get("strip"):
        return False
    path.write_text(re.sub(r"(?m)^(\s*strip\s*=\s*)true\b", r"\1false", path.read_text()))
    return True


def crate_count(source: Path) -> int:
    """How many crates the build compiles at most, from the lock file; 0 where there is none."""
    lock = next(iter(sorted(source.rglob("Cargo.lock"))), None)
    return lock.read_text().count("[[package]]") if lock is not None else 0


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path.name} of the source distribution can't be read: {error}") from error
