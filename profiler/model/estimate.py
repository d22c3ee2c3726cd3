"""An estimate: a value that carries its own doubt."""

from __future__ import annotations

import math

import msgspec


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its 95 % interval, the number of independent units behind it, and what to doubt about it."""

    value: float
    low: float | None
    """Lower end of the 95 % interval; None where there is too little data for one."""
    high: float | None
    n: int
    unit: str
    warnings: tuple[str, ...] = ()

    @property
    def half_width(self) -> float:
        if self.low is None or self.high is None:
            return math.inf
        return (self.high - self.low) / 2
