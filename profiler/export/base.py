"""What an exporter is. One file per format; the ordered tuple is in the package's `__init__`."""

from __future__ import annotations

from typing import Protocol

from profiler.views.picture import Picture


class Exporter(Protocol):
    """A picture in another tool's format."""

    name: str
    """What the user types after --format."""
    suffix: str
    """How such files end, with the first dot."""
    by_line: bool
    """True where the format has room for lines and inlined frames; the picture must then be cut by line."""

    def encode(self, picture: Picture) -> bytes:
        """The whole file. Weights keep their sum. A picture without samples gives a valid empty file."""
