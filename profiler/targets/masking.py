"""Commands as they may be shown and stored: without what looks like a secret."""

from __future__ import annotations

import re
from collections.abc import Sequence

MASK = "***"
_SECRET = r"(?:pass(?:word|wd|phrase)?|secret|token|(?:api|access|private)[-_]?key|auth\w*|credential\w*|cookie|dsn)"
_OPTION = re.compile(rf"^-{{1,2}}[\w-]*{_SECRET}[\w-]*$", re.IGNORECASE)
_VALUE = r"(?:(?:bearer|basic|token|digest)\s+)?[^\s;&,\"']+"
_ASSIGNMENT = re.compile(rf"((?:^|[\s;&?,\"'-])[\w-]*{_SECRET}[\w-]*\s*[=:]\s*){_VALUE}", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(\w+://[^/\s:@]*:)[^/\s@]+@")


def mask(argv: Sequence[str]) -> tuple[str, ...]:
    """The same arguments with values of options, assignments and URLs that look like secrets replaced."""
    shown: list[str] = []
    after_option = False
    for argument in argv:
        if after_option and not argument.startswith("-"):
            shown.append(MASK)
        else:
            shown.append(_CREDENTIALS.sub(rf"\1{MASK}@", _ASSIGNMENT.sub(rf"\1{MASK}", argument)))
        after_option = _OPTION.match(argument) is not None
    return tuple(shown)
