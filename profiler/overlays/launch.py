"""Puts overlays ahead of the installed packages of a target that is about to start."""

from __future__ import annotations

import os

import msgspec

from profiler.errors import UsageError
from profiler.model.launch import Launch
from profiler.overlays.cache import Overlay, cached_overlays
from profiler.overlays.interpreter import installed_versions

AUTO = "auto"
OFF = "off"


def overlay_launch(launch: Launch, symbols: str) -> tuple[Launch, tuple[Overlay, ...]]:
    """The launch with the overlays of its installed packages, and which ones those are.

    Args:
        symbols: `auto` takes every overlay in the cache whose package is installed in exactly that version; `off` takes
            none; anything else is the folder of an overlay.

    Raises:
        UsageError: the named folder holds no overlay.
    """
    if symbols == OFF or not launch.python:
        return launch, ()
    if symbols == AUTO:
        chosen = _fitting(launch.python)
    else:
        chosen = [
            overlay for overlay in cached_overlays() if symbols in (overlay.path, overlay.path.removesuffix("/site"))
        ]
        if not chosen:
            raise UsageError(
                f"{symbols} is no overlay", hint="`profiler build PACKAGE` makes one and prints its folder"
            )
    if not chosen:
        return launch, ()
    paths = [overlay.path for overlay in chosen]
    if launch.env.get("PYTHONPATH"):
        paths.append(launch.env["PYTHONPATH"])
    env = {**launch.env, "PYTHONPATH": os.pathsep.join(paths)}
    return msgspec.structs.replace(launch, env=env), tuple(chosen)


def _fitting(python: str) -> list[Overlay]:
    cached = cached_overlays()
    if not cached:
        return []
    tag, versions = installed_versions(python, sorted({overlay.package for overlay in cached}))
    newest = {
        overlay.package: overlay
        for overlay in cached
        if versions.get(overlay.package) == overlay.version and overlay.python_tag in ("abi3", tag)
    }
    return list(newest.values())
