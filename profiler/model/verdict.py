"""The three things a comparison can say."""

from __future__ import annotations

import enum


class Verdict(enum.StrEnum):
    SAME = "same"
    """The whole interval of the difference lies inside the band the user calls the same."""
    DIFFERENT = "different"
    """The interval excludes 0."""
    NOT_ENOUGH_DATA = "not enough data"
    """Neither: more units of replication would be needed. Never to be read as the same."""
