"""The catalogue as parameters: words only, fit for test ids, for pytest-benchmark's files and for grouping."""

from __future__ import annotations

from typing import Any

from hotpaths.catalogue import OPTIMIZATIONS, find
from hotpaths.optimization import Native, Optimization

MIX = "mix"
"""Not an input but all of them in turn, as a server meets them: the branches and inline caches see every type."""

COSTS: tuple[tuple[str, str], ...] = tuple(
    (optimization.slug, entry.name) for optimization in OPTIMIZATIONS for entry in optimization.inputs
)
"""(slug, input) of everything that is called from Python."""

MIXES: tuple[tuple[str, str], ...] = (("access_logging", MIX), ("allocations", MIX), ("response_handlers", MIX))
"""Where inputs differ in kind. Sizes are not mixed: the largest would be all that is seen."""

ROWS: tuple[tuple[str, str], ...] = tuple(
    (optimization.slug, optimization.inputs[0].name) for optimization in OPTIMIZATIONS
)
"""One row per optimization: its first input, the one of the endpoint `/hello`."""

NATIVE: tuple[tuple[str, str, str], ...] = tuple(
    (optimization.slug, entry.name, side)
    for optimization in OPTIMIZATIONS
    if optimization.native is not None
    for entry in optimization.inputs
    for side in optimization.native.sides
)
"""(slug, input, side) of everything that Rust times by itself."""

NATIVE_PAIRS: tuple[tuple[str, str], ...] = tuple(
    (optimization.slug, entry.name)
    for optimization in OPTIMIZATIONS
    if optimization.native is not None and len(optimization.native.sides) == 2
    for entry in optimization.inputs
)


def values(slug: str, name: str) -> list[Any]:
    """The value of an input, or of all of them for the mix."""
    inputs = find(slug).inputs
    return [entry.make() for entry in inputs if name in (entry.name, MIX)]


def native(slug: str) -> tuple[Optimization, Native]:
    """An optimization together with the timers of its Rust sides."""
    optimization = find(slug)
    if optimization.native is None:
        raise LookupError(f"{slug} has no side in Rust")
    return optimization, optimization.native
