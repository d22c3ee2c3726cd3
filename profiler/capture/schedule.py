"""Which sampler is on when: every condition once in each round, in random order. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec

# Long enough for a stable CPU reading (its error is microseconds), short enough to see a worker restart in its place.
BLOCK_S = 0.25

# Two rounds are the least that give an interval at all.
MIN_ROUNDS = 2


class PlannedWindow(msgspec.Struct, frozen=True, kw_only=True):
    """One window to come: in which round, with which sampler (empty: none)."""

    index: int
    round: int
    sampler: str
    blocks: int

    @property
    def block_ns(self) -> int:
        return round(BLOCK_S * 1e9)


def plan_windows(
    samplers: Sequence[str], window_s: float, duration_s: float, *, base: bool, seed: int, first: int = 0
) -> tuple[PlannedWindow, ...]:
    """Rounds until each sampler has been on for `duration_s`.

    Args:
        samplers: Names; an empty sequence plans windows without a sampler only.
        window_s: Length of every window, in seconds.
        duration_s: Time that each condition gets, in seconds.
        base: Also a window without sampling in each round, to measure what sampling costs.
        seed: Of the order inside the rounds.
        first: Index of the first window.
    """
    conditions = [*samplers, *([""] if base or not samplers else [])]
    # Windows of whole blocks; shorter than asked where the time would not give the least number of rounds.
    blocks = max(1, round(min(window_s, duration_s / MIN_ROUNDS) / BLOCK_S))
    rounds = max(MIN_ROUNDS, math.ceil(duration_s / (blocks * BLOCK_S) - 1e-9))
    order = random.Random(seed)
    windows: list[PlannedWindow] = []
    for number in range(rounds):
        order.shuffle(conditions)
        for sampler in conditions:
            windows.append(PlannedWindow(index=first + len(windows), round=number, sampler=sampler, blocks=blocks))
    return tuple(windows)
