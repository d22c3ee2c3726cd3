"""What the user asks of a paired measurement: command-line options, overridden by the marker of a test."""

from __future__ import annotations

import enum
import secrets
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from profiler.stats.paired import Precision

MARKER = "paired"


class Caches(enum.StrEnum):
    BOTH = "both"
    HOT = "hot"


class Collector(enum.StrEnum):
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedOptions:
    """How long, how precisely and under which conditions a pair is measured."""

    processes: int = 12
    """At least so many fresh processes, however precise fewer would seem."""
    max_processes: int = 60
    max_seconds: float = 45.0
    """Per pair; no process is started after it, unless the least number is not reached yet."""
    seconds: float = 0.3
    """Of measuring in each process, per condition."""
    precision: float = 0.01
    """Measuring stops when the saving's half-width is this share of the dearer side's time, loop included."""
    same: float = 0.01
    """A saving within this share of the dearer side's time is called the same."""
    cache: Caches = Caches.BOTH
    gc: Collector = Collector.ON
    seed: int = 0
    fail_slower: bool = False
    """Fail the test when after is slower than before (verdict different)."""

    def __post_init__(self) -> None:
        if self.processes < 2:
            raise pytest.UsageError(f"--paired-processes is {self.processes}: an interval needs at least 2 processes")
        if self.max_processes < self.processes:
            raise pytest.UsageError(
                f"--paired-max-processes is {self.max_processes}, below --paired-processes {self.processes}"
            )
        for name in ("seconds", "max_seconds", "precision"):
            if not getattr(self, name) > 0:
                raise pytest.UsageError(
                    f"--paired-{name.replace('_', '-')} is {getattr(self, name)}: it must be positive"
                )
        if self.same < 0:
            raise pytest.UsageError(f"--paired-same is {self.same}: it can't be negative")

    @classmethod
    def from_config(cls, config: pytest.Config) -> PairedOptions:
        """From the command line (and the project's `addopts`)."""
        return cls(**_as_members({field.name: config.getoption(f"paired_{field.name}") for field in fields(cls)}))

    def for_test(self, item: pytest.Item) -> PairedOptions:
        """These options with what the test's own `@pytest.mark.paired(...)` says."""
        said: dict[str, Any] = {}
        for marker in reversed(list(item.iter_markers(MARKER))):  # the closest marker has the last word
            said.update(marker.kwargs)
        known = {field.name for field in fields(self)} - {"seed"}
        unknown = sorted(set(said) - known)
        if unknown:
            raise pytest.UsageError(
                f"{item.nodeid}: the marker `paired` knows {', '.join(sorted(known))}, not {unknown[0]!r}"
            )
        return replace(self, **_as_members(said))

    @property
    def wanted(self) -> Precision:
        return Precision(target=self.precision, same=self.same)


def _as_members(values: dict[str, Any]) -> dict[str, Any]:
    """Words to members of the two enums."""
    for name, choice in (("cache", Caches), ("gc", Collector)):
        if name in values:
            try:
                values[name] = choice(values[name])
            except ValueError:
                known = " or ".join(choice)
                raise pytest.UsageError(f"paired: {name} is {values[name]!r}, not {known}") from None
    return values


_HELP = {
    "processes": "At least so many fresh processes per pair.",
    "max_processes": "At most so many.",
    "max_seconds": "Seconds per pair, once the least number of processes is reached.",
    "seconds": "Seconds of measuring per process, for each of hot and cold.",
    "precision": "Stop when the saving's half-width is this share of the dearer side's time.",
    "same": "Call a saving within this share of the dearer side's time the same.",
    "cache": "Measure with hot and cold caches, or hot ones only.",
    "gc": "The cyclic collector while measuring; on, as in a server.",
}


def add_options(parser: pytest.Parser) -> None:
    """`--paired` and, for every option above, `--paired-<name>`."""
    group = parser.getgroup("paired", "before and after, interleaved in fresh processes")
    default = PairedOptions()
    group.addoption("--paired", action="store_true", help="Measure the tests that use the fixture `paired`; only them.")
    for name, text in _HELP.items():
        value = getattr(default, name)
        choices = [member.value for member in type(value)] if isinstance(value, enum.Enum) else None
        group.addoption(
            f"--paired-{name.replace('_', '-')}",
            type=str if choices else type(value),
            choices=choices,
            default=value,
            help=f"{text} Default: {value}.",
        )
    group.addoption(
        "--paired-seed",
        type=int,
        default=secrets.randbits(31),
        help="Of all random orders and hash seeds. Default: a new one, which is printed.",
    )
    group.addoption(
        "--paired-fail-slower", action="store_true", help="Fail a test whose `after` is slower than `before`."
    )
    group.addoption("--paired-json", type=Path, metavar="PATH", help="Write all results to PATH as JSON.")
    group.addoption("--paired-child", metavar="ERRAND", help="Internal: what a fresh process is asked to do.")
