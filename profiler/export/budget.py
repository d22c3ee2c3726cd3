"""Cuts a list of weighted stacks to a size, without losing weight: what is cut becomes one frame per key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec


class Weighted(msgspec.Struct, frozen=True, kw_only=True):
    """A stack with its weight; `key` says which list it belongs to (a thread)."""

    key: int
    stack: tuple[int, ...]
    weight: int


def json_length(stack: Sequence[int], weight: int) -> int:
    """Characters that the stack and its weight take as JSON, with their separators."""
    # A list as Python writes it has one space more for each separator.
    return (len(str([*stack])) - len(stack) if stack else 0) + len(str(weight)) + 4


def cut_to_budget(rows: Sequence[Weighted], size: int, *, rare: int) -> list[Weighted]:
    """The heaviest rows that fit into `size` characters of JSON, heaviest first; the rest as one row per key with the
    single frame `rare`."""
    kept: list[Weighted] = []
    lost: Counter[int] = Counter()
    used = 0
    for row in sorted(rows, key=lambda row: (-row.weight, row.stack)):
        # Once one row is too long all lighter ones are cut too: "rare" then means the same for every stack.
        used += json_length(row.stack, row.weight) if used <= size else 0
        if used <= size:
            kept.append(row)
        else:
            lost[row.key] += row.weight
    return [*kept, *(Weighted(key=key, stack=(rare,), weight=weight) for key, weight in lost.items())]
