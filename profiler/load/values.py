"""Values of templates: `NAME=SOURCE` → the values, drawn once from a seed where the source is a generator."""

from __future__ import annotations

import random
import uuid
from pathlib import Path

from profiler.errors import UsageError

DRAWN = 1000


def parse_values(text: str, seed: int) -> tuple[str, tuple[str, ...]]:
    """`id=1,2,3` a list; `id=@FILE` lines of a file; `id=int:1:1000` and `id=uuid` drawn from the seed; `id=seq:1:50`.

    UsageError where the source is none of them.
    """
    name, equals, source = text.partition("=")
    if not equals or not name.isidentifier():
        raise UsageError(f"{text!r} is not NAME=VALUES", hint="write it like id=1,2,3 or id=int:1:1000")
    kind, *bounds = source.split(":")
    # Text as a seed: the same on every machine and in every process.
    draw = random.Random(f"{seed} {name}")
    if source.startswith("@"):
        return name, _lines(Path(source[1:]))
    if kind in ("int", "seq"):
        low, high = _bounds(text, bounds)
        if kind == "seq":
            return name, tuple(str(value) for value in range(low, high + 1))
        return name, tuple(str(draw.randint(low, high)) for _ in range(DRAWN))
    if source == "uuid":
        return name, tuple(str(uuid.UUID(int=draw.getrandbits(128), version=4)) for _ in range(DRAWN))
    return name, tuple(source.split(","))


def _lines(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"values file {path}: {error}") from None
    if not lines:
        raise UsageError(f"values file {path} is empty")
    return tuple(lines)


def _bounds(text: str, bounds: list[str]) -> tuple[int, int]:
    try:
        low, high = map(int, bounds)
    except ValueError:
        raise UsageError(f"{text!r} needs two whole numbers, as in id=int:1:1000") from None
    if not low <= high or high - low > 1_000_000:
        raise UsageError(f"{text!r}: the second number must not be below the first, nor more than a million above it")
    return low, high
