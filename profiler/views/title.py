"""What a picture says of itself: which target, endpoint and sampler, and how it differs from the whole."""

from __future__ import annotations

import datetime

from profiler.model.frame import Frame
from profiler.views.basis import BY_REQUEST, BY_SECOND
from profiler.views.picture import Picture

LONGEST_NAME = 60
WAITS = "time in which threads were on no CPU, not CPU time; idle threads wait all the time"


def title(picture: Picture) -> str:
    """Target, endpoint and sampler, in one line."""
    metadata, capture = picture.metadata, picture.capture
    endpoint = f"{metadata.endpoint.method} {metadata.endpoint.path}" if metadata.endpoint is not None else ""
    sampler = f"{capture.sampler} {capture.hz:g} Hz" if capture.hz else capture.sampler
    clock = "" if capture.clock == "cpu" else "off-CPU wall time"
    # A command's name can be a whole program given with -c.
    name = " ".join(metadata.target.name.split())
    name = "" if name == metadata.target.kind else name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    return " · ".join(part for part in (f"{metadata.target.kind} {name}".strip(), endpoint, sampler, clock) if part)


def notes(picture: Picture) -> tuple[str, ...]:
    """What the weights are, what distorts them, and what was left out."""
    capture, choice, metadata = picture.capture, picture.choice, picture.metadata
    agreement = f"sampled CPU is {capture.agreement.value:.1%} of measured CPU" if capture.agreement else ""
    return tuple(
        note
        for note in (
            weight_note(picture),
            "" if capture.clock == "cpu" else WAITS,
            agreement,
            f"distorted: {capture.distorted}" if capture.distorted else "",
            "runtime plumbing folded into its caller" if choice.fold else "",
            f"only thread {choice.thread}" if choice.thread else "",
            f"only process {choice.process}" if choice.process else "",
            f"run {metadata.id}, {metadata.state.value}",
            *(f"not to be trusted: {reason}" for reason in metadata.untrusted),
        )
        if note
    )


def weight_note(picture: Picture) -> str:
    """The whole picture's time in its unit."""
    basis, clock = picture.basis, "CPU" if picture.capture.clock == "cpu" else "off-CPU wall time"
    value = basis.value(picture.total_ns)
    if basis.unit in BY_REQUEST:
        return f"{value:,.2f} µs of {clock} per request over {basis.requests:,} requests"
    if basis.unit in BY_SECOND:
        return f"{value:,.4f} s of {clock} per second over {sum(basis.denominators):,.1f} s"
    return f"{value:,.3f} s of {clock}"


def recorded_at_ns(picture: Picture) -> int:
    """When the run was recorded, in nanoseconds since 1970; 0 where the run's date can't be read."""
    try:
        return round(datetime.datetime.fromisoformat(picture.metadata.created).timestamp()) * 1_000_000_000
    except ValueError:
        return 0


def clock_unit(picture: Picture) -> str:
    """The unit of single figures, short: `µs/request`, `s/s` or `s`; with `off-CPU` where they are waiting time."""
    unit = picture.basis.unit
    short = "µs/request" if unit in BY_REQUEST else "s/s" if unit in BY_SECOND else "s"
    return short if picture.capture.clock == "cpu" else f"{short} off-CPU"


def where(frame: Frame) -> str:
    """A frame's function with its module, as tooltips show it."""
    place = f"{frame.file}:{frame.line}" if frame.file and frame.line else frame.file
    return " · ".join(part for part in (frame.name, frame.language.value, frame.module, place, frame.detail) if part)
