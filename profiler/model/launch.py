"""How a target is about to be started. Samplers that work from inside change it before the target starts."""

from __future__ import annotations

import msgspec


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """A command with its environment; a sampler that works from inside changes it."""

    argv: tuple[str, ...]
    env: dict[str, str]
    """The whole environment of the target."""
    python: str = ""
    """The target's interpreter, where it has one; `argv[0]` then is this path."""
    folder: str = ""
    """Working folder of the target; empty is the current one."""
