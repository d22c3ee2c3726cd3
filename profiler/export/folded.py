"""Folded stacks: one line for each distinct stack, `root;…;leaf weight`, weight in whole nanoseconds of CPU.

Names are plain function names, so that grep finds them. `;` in a name becomes `:`, control characters a space (the
format knows no escape). Two functions of one name in different modules stay apart in every other format, not here.
"""

from __future__ import annotations

import re
from collections import Counter

from profiler.views.picture import Picture

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


class FoldedExporter:
    name = "folded"
    suffix = ".folded.txt"
    by_line = False

    def encode(self, picture: Picture) -> bytes:
        names = [plain(frame.name) for frame in picture.frames]
        lines: Counter[str] = Counter()
        for stack, weight in zip(picture.stacks, picture.stack_weights().tolist(), strict=True):
            lines[";".join(names[index] for index in stack) or "[empty]"] += weight
        return "".join(f"{line} {weight}\n" for line, weight in sorted(lines.items()) if weight).encode()


def plain(name: str) -> str:
    """A name that can stand in a folded line."""
    return _CONTROL.sub(" ", name).replace(";", ":").strip() or "[no name]"
