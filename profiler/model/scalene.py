"""What scalene says of a program's lines."""

from __future__ import annotations

import msgspec


class ScaleneLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of source."""

    file: str
    line: int
    source: str
    python: float
    """Share of the program's CPU time spent in Python on this line, from 0 to 1."""
    native: float
    system: float
    allocated_mb: float = 0.0
    peak_mb: float = 0.0
    copied_mb_per_s: float = 0.0

    @property
    def cpu(self) -> float:
        return self.python + self.native + self.system


class ScaleneSummary(msgspec.Struct, frozen=True, kw_only=True):
    """All lines that used CPU or memory, dearest first; kept in the run as `scalene.json`."""

    lines: tuple[ScaleneLine, ...]
    elapsed_s: float
    peak_mb: float
    memory: bool
    """False where only CPU time was profiled."""
    suspect: str = ""
    """Why the result does not say where the time goes, where it does not."""
