"""Where overlays lie, and what each was built from."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import msgspec

MANIFEST = "overlay.json"

# What is added to the package's own release settings, and nothing else; part of the cache key.
FLAGS = {
    "CARGO_PROFILE_RELEASE_DEBUG": "line-tables-only",
    "CARGO_PROFILE_RELEASE_STRIP": "none",
    "RUSTFLAGS": "-C force-frame-pointers=yes",
}


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """One rebuilt package."""

    package: str
    """Normalised distribution name."""
    version: str
    compiler: str
    """First line of `rustc --version`."""
    python_tag: str
    """ABI the extension was built for: abi3 serves every interpreter, else `cp312` and the like."""
    flags: dict[str, str]
    extensions: tuple[str, ...]
    """Native files, relative to the overlay."""
    seconds: float
    """How long the build took."""
    notes: tuple[str, ...] = ()
    path: str = ""
    """Folder that goes on PYTHONPATH."""


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/hotpath-profiler/overlays`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "hotpath-profiler" / "overlays"


def normalise(package: str) -> str:
    """The distribution name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def overlay_folder(package: str, version: str, compiler: str, python_tag: str) -> Path:
    """Where the overlay with these settings lies, built or not."""
    key = hashlib.sha256(repr((compiler, sorted(FLAGS.items()), python_tag)).encode()).hexdigest()[:12]
    return cache_root() / f"{normalise(package)}-{version}-{key}"


def cached_overlays() -> list[Overlay]:
    """Every overlay that was built whole, newest last; a damaged manifest is as good as none."""
    overlays = []
    for manifest in sorted(cache_root().glob(f"*/{MANIFEST}"), key=lambda path: path.stat().st_mtime):
        try:
            overlay = msgspec.json.decode(manifest.read_bytes(), type=Overlay)
        except (OSError, msgspec.DecodeError):
            continue
        overlays.append(msgspec.structs.replace(overlay, path=str(manifest.parent / "site")))
    return overlays


def find_overlay(package: str, version: str, python_tag: str) -> Overlay | None:
    """The newest overlay of exactly this version that this interpreter can load."""
    fits = [
        overlay
        for overlay in cached_overlays()
        if overlay.package == normalise(package)
        and overlay.version == version
        and overlay.python_tag in ("abi3", python_tag)
    ]
    return fits[-1] if fits else None
