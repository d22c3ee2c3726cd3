"""How often each side of each optimization ran: counted where it runs, only when asked for."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any


class Counters:
    """Counts calls of functions by name; from any thread, because a step of `itertools.count` is one step of C."""

    def __init__(self) -> None:
        self._steps: dict[str, itertools.count[int]] = {}

    def counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted under a name."""
        steps = self._steps.setdefault(name, itertools.count())

        @functools.wraps(function)
        def count(*arguments: Any) -> Any:
            next(steps)
            return function(*arguments)

        return count

    def read(self) -> dict[str, int]:
        """All counts so far. To be called once: reading is a step too."""
        return {name: next(steps) for name, steps in self._steps.items()}
