"""The five switches: which side of each optimization the server runs."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, replace

WORDS: dict[str, tuple[str, str]] = {
    "logging": ("python", "rust"),
    "bodies": ("copy", "borrow"),
    "async": ("task", "inline"),
    "allocations": ("maps", "none"),
    "handlers": ("chain", "compiled"),
}
"""Switch -> what it may be set to besides `off` and `on`."""
ALL = "all"
# `async` is a word of Python's own.
_FIELDS = {name: "inline_async" if name == "async" else name for name in WORDS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Switches:
    """True: the optimization is on."""

    logging: bool = True
    bodies: bool = True
    inline_async: bool = True
    allocations: bool = True
    handlers: bool = True

    def __str__(self) -> str:
        states = ("on" if getattr(self, field) else "off" for field in _FIELDS.values())
        return ",".join(f"{name}={state}" for name, state in zip(_FIELDS, states, strict=True))


def parse(text: str, start: Switches | None = None) -> Switches:
    """`logging=off,bodies=copy` over `start` (all on). Left to right, so that `all=off,logging=on` leaves one on.

    Raises:
        ValueError: an unknown switch or state, with what there is.
    """
    switches = start or Switches()
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, word = part.partition("=")
        if name == ALL:
            state = _state(name, word, ())
            switches = Switches(**{field.name: state for field in fields(Switches)})
        elif name in WORDS:
            switches = replace(switches, **{_FIELDS[name]: _state(name, word, WORDS[name])})
        else:
            near = difflib.get_close_matches(name, [*WORDS, ALL], 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"no switch is called {name!r}{meant} (there are {', '.join(WORDS)} and {ALL})")
    return switches


def _state(name: str, word: str, words: tuple[str, ...]) -> bool:
    if word in ("off", *words[:1]):
        return False
    if word in ("on", *words[1:]):
        return True
    raise ValueError(f"{name} can't be {word!r}: say {', '.join(('off', 'on', *words))}")
