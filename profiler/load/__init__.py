"""Load generators: each offers load from a process of its own and says what it can and can't measure."""

from __future__ import annotations

from profiler.errors import UsageError
from profiler.load.base import LoadGenerator, LoadSession, Tick
from profiler.load.native import NativeGenerator

__all__ = ["GENERATORS", "LoadGenerator", "LoadSession", "Tick", "find_generator"]

GENERATORS: tuple[LoadGenerator, ...] = (NativeGenerator(),)
"""In the order in which they are listed; the first is the default."""


def find_generator(name: str) -> LoadGenerator:
    """The generator of that name; UsageError where there is none, or where it can't run here."""
    for generator in GENERATORS:
        if generator.name == name:
            missing = generator.probe()
            if missing is not None:
                raise UsageError(f"load generator {name} can't run here: {missing}")
            return generator
    known = ", ".join(generator.name for generator in GENERATORS)
    raise UsageError(f"there is no load generator {name!r}", hint=f"choose one of: {known}, none")
