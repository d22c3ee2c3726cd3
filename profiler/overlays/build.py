"""Builds an overlay: fetch the sources, build with the package's own release settings plus symbols, unpack the wheel.

Only three settings are added to the package's release profile (`cache.FLAGS`): its LTO, codegen units, optimization
level and panic strategy stay as published, so that the profiled code is the published code with names.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from profiler.errors import UsageError
from profiler.overlays.cache import FLAGS, MANIFEST, Overlay, cache_root, find_overlay, normalise, overlay_folder
from profiler.overlays.interpreter import installed_versions
from profiler.overlays.source import crate_count, fetch_sdist, keep_symbols, pinned_toolchain
from profiler.overlays.toolchain import installed_toolchain

Progress = Callable[[str, int, int], None]
"""(what is being done, crates compiled, crates at most)."""


def build_overlay(
    package: str, version: str | None, python: str, progress: Progress, *, again: bool = False
) -> Overlay:
    """Build (or find) the overlay of a package for this interpreter.

    Args:
        version: None takes the version that is installed there.
        again: Build even where it is cached.

    Raises:
        UsageError: the package is not installed and no version is named, it has no sources, or they do not build; the
            message names the log.
    """
    tag, versions = installed_versions(python, [package])
    version = version or versions.get(package)
    if version is None:
        raise UsageError(
            f"{package} is not installed in {python}", hint=f"name the version: profiler build {package}==VERSION"
        )
    cached = find_overlay(package, version, tag)
    if cached is not None and not again:
        return cached
    toolchain, compiler = installed_toolchain()
    cache_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=cache_root()) as scratch:
        return _build(package, version, python, tag, toolchain, compiler, Path(scratch), progress)


def _build(
    package: str, version: str, python: str, tag: str, toolchain: str, compiler: str, scratch: Path, progress: Progress
) -> Overlay:
    started = time.monotonic()
    progress("fetching the sources", 0, 0)
    source = fetch_sdist(package, version, scratch, toolchain)
    notes = []
    pin = pinned_toolchain(source)
    if pin is not None and pin not in compiler:
        notes.append(f"the package pins Rust {pin}; built with the installed {compiler}")
    if keep_symbols(source):
        notes.append("the package strips its wheel; that was switched off")
    log = cache_root() / f"{normalise(package)}-{version}.log"
    wheel = _run_maturin(source, python, toolchain, scratch / "wheels", log, progress)
    site = scratch / "overlay" / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    extensions = tuple(sorted(str(path.relative_to(site)) for path in site.rglob("*.so")))
    if not extensions:
        raise UsageError(f"the wheel of {package} {version} holds no native extension: there is nothing to name")
    python_tag = "abi3" if "-abi3-" in wheel.name else tag
    folder = overlay_folder(package, version, compiler, python_tag)
    overlay = Overlay(
        package=normalise(package),
        version=version,
        compiler=compiler,
        python_tag=python_tag,
        flags=FLAGS,
        extensions=extensions,
        seconds=time.monotonic() - started,
        notes=tuple(notes),
    )
    (site.parent / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(overlay)))
    shutil.rmtree(folder, ignore_errors=True)
    site.parent.rename(folder)
    return msgspec.structs.replace(overlay, path=str(folder / "site"))


def _run_maturin(source: Path, python: str, toolchain: str, out: Path, log: Path, progress: Progress) -> Path:
    """Build the wheel in a process group of its own, so that Ctrl-C ends compiler and linker too."""
    env = {**os.environ, **FLAGS}
    if toolchain:
        env["RUSTUP_TOOLCHAIN"] = toolchain
    # A virtual environment of the toolkit's must not decide for which interpreter is built.
    env.pop("VIRTUAL_ENV", None)
    command = [sys.executable, "-m", "maturin", "build", "--release", "--interpreter", python, "--out", str(out)]
    total = crate_count(source)
    compiled = 0
    with log.open("w") as kept:
        try:
            process = subprocess.Popen(
                command, cwd=source, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise UsageError(f"maturin does not start: {error}", hint="pip install maturin") from error
        with process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    kept.write(line)
                    compiled += line.lstrip().startswith("Compiling ")
                    progress(line.strip(), compiled, total)
                process.wait()
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
    wheels = sorted(out.glob("*.whl"))
    if process.returncode or not wheels:
        raise UsageError(
            f"{source.name} does not build: maturin ended with {process.returncode}", hint=f"its log: {log}"
        )
    return wheels[0]
