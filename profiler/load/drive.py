"""Load on its own, without a capture: warm up, measure windows one after the other, and the same for each step."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from profiler.errors import Interrupted
from profiler.load.base import LoadGenerator, Tick
from profiler.load.native import NativeSession
from profiler.model.block import BlockCount, Window
from profiler.model.load import LoadResult, LoadSpec

LEAD_NS = 50_000_000
WINDOW_S = 1.0
BLOCK_S = 0.25


class Driven(msgspec.Struct, frozen=True, kw_only=True):
    """One step: what was offered, what came of it, and its blocks in order."""

    result: LoadResult
    blocks: tuple[BlockCount, ...]
    block_s: float
    interrupted: bool = False


def _ignore(_done: int, _total: int) -> None:
    return None


def drive(
    generator: LoadGenerator,
    spec: LoadSpec,
    duration_s: float,
    log: Path,
    progress: Callable[[Tick], None],
    advance: Callable[[int, int], None] = _ignore,
) -> Driven:
    """Measure for that long. Ctrl-C ends it early and keeps the windows that were over; `advance` is told how many
    those are, and of how many.

    Raises:
        Interrupted: before a window was over.
        TargetError, UsageError, ProfilerError: from the generator; its process has ended by then.
    """
    session = generator.start(spec, log)
    counts: list[BlockCount] = []
    interrupted, done = False, False
    native = isinstance(session, NativeSession)
    windows = max(1, round(duration_s / WINDOW_S)) if native else 1
    blocks = max(1, round(duration_s / windows / BLOCK_S))
    block_ns = round(duration_s / windows / blocks * 1e9)
    try:
        session.warm_up(progress)
        start_ns = time.monotonic_ns() + LEAD_NS
        planned = [
            Window(index=i, start_ns=start_ns + i * blocks * block_ns, block_ns=block_ns, blocks=blocks)
            for i in range(windows)
        ]
        # All of them at once, so that no time is lost between one and the next.
        for window in planned:
            session.begin(window)
        for window in planned:
            advance(window.index, windows)
            if isinstance(session, NativeSession):
                counts.extend(session.collect(window, progress))
            else:
                counts.extend(session.collect(window))
        advance(windows, windows)
        done = True
    except KeyboardInterrupt:
        interrupted = True
    finally:
        if not (done or interrupted):
            session.stop()
    result = session.stop()
    if interrupted and not counts:
        raise Interrupted("interrupted before anything was measured")
    return Driven(result=result, blocks=tuple(counts), block_s=block_ns / 1e9, interrupted=interrupted)


def drive_steps(
    generator: LoadGenerator,
    specs: Sequence[LoadSpec],
    duration_s: float,
    log: Path,
    progress: Callable[[int, Tick], None],
    advance: Callable[[int, int], None] = _ignore,
) -> tuple[Driven, ...]:
    """Each spec in turn against the same server, which stays warm; an interruption ends the walk after its step."""
    driven: list[Driven] = []
    for number, spec in enumerate(specs):
        try:
            driven.append(drive(generator, spec, duration_s, log, functools.partial(progress, number), advance))
        except Interrupted:
            if not driven:
                raise
            driven[-1] = msgspec.structs.replace(driven[-1], interrupted=True)
        if driven[-1].interrupted:
            break
    return tuple(driven)
