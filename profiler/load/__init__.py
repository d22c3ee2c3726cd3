"""Load generators: each offers load from a process of its own and says what it can and can't measure."""

from __future__ import annotations

from pathlib import Path

from profiler.errors import UsageError
from profiler.load.base import LoadGenerator, LoadSession, Tick
from profiler.load.locust import Locust
from profiler.load.native import NativeGenerator
from profiler.load.oha import Oha
from profiler.load.wrk import Wrk

__all__ = ["GENERATORS", "LoadGenerator", "LoadSession", "Tick", "find_generator"]

GENERATORS: tuple[LoadGenerator, ...] = (NativeGenerator(), Wrk(), Oha(), Locust())
"""In the order in which they are listed; the first is the default."""


def find_generator(name: str) -> LoadGenerator:
    """The generator of that name (`locust:FILE` with a file); UsageError where there is none, or it can't run here."""
    wanted, colon, file = name.partition(":")
    for generator in GENERATORS:
        if generator.name != wanted:
            continue
        missing = generator.probe()
        if missing is not None:
            raise UsageError(f"load generator {wanted} can't run here: {missing}")
        if not colon:
            return generator
        if isinstance(generator, Locust):
            return Locust(Path(file))
    known = ", ".join(generator.name for generator in GENERATORS)
    raise UsageError(f"there is no load generator {name!r}", hint=f"choose one of: {known} (locust:FILE), none")
