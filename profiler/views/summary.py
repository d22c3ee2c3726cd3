"""Everything `profiler show` says of one sampler's capture, as data."""

from __future__ import annotations

import msgspec

from profiler.model.profile import Profile
from profiler.model.run import Capture, RunMetadata
from profiler.views.heaviest import PathStep, heaviest_path
from profiler.views.language_bar import LanguageShare, language_shares
from profiler.views.picture import Choice, make_picture
from profiler.views.table import FunctionRow, function_rows
from profiler.views.threads import ThreadRow, thread_rows
from profiler.views.title import notes, title, weight_note


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One capture, ready to be printed."""

    title: str
    notes: tuple[str, ...]
    weight: str
    """The total with its clock and what it was divided by, in words."""
    capture: Capture
    unit: str
    """Of every time below."""
    total: float
    samples: int
    """In measured blocks; only these count."""
    requests: int
    """In those blocks; 0 where none were counted."""
    languages: tuple[LanguageShare, ...]
    by_self: tuple[FunctionRow, ...]
    by_total: tuple[FunctionRow, ...]
    heaviest: tuple[PathStep, ...]
    threads: tuple[ThreadRow, ...]


def summarise(profile: Profile, metadata: RunMetadata, sampler: str, *, choice: Choice, top: int) -> Summary:
    """
    Raises:
        UsageError: the choice leaves no sample.
    """
    picture = make_picture(profile, metadata, sampler, choice)
    return Summary(
        title=title(picture),
        notes=notes(picture),
        weight=weight_note(picture),
        capture=picture.capture,
        unit=picture.basis.unit,
        total=picture.basis.value(picture.total_ns),
        samples=len(picture.samples),
        requests=picture.basis.requests,
        languages=language_shares(picture),
        by_self=function_rows(picture, top, "self"),
        by_total=function_rows(picture, top, "total"),
        heaviest=heaviest_path(picture),
        threads=thread_rows(picture),
    )
