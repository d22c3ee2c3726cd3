"""The recording: options in, a sealed run out. The only place where target, load, samplers and runs meet."""

from __future__ import annotations

import contextlib
import datetime
import random
import re
import signal
from collections.abc import Iterator, Sequence

from profiler.capture.machine import describe_machine
from profiler.capture.metadata import describe_capture, describe_endpoint, doubts, figures, merge_blocks
from profiler.capture.options import CaptureOptions, Progress
from profiler.capture.schedule import plan_windows
from profiler.capture.segment import Chosen, Segment
from profiler.errors import Interrupted, ProfilerError, SamplerError, TargetError
from profiler.load import find_generator
from profiler.model.block import Block
from profiler.model.run import Capture, RunMetadata, RunState
from profiler.model.versions import describe_versions
from profiler.runs import Run, RunWriter
from profiler.samplers import find_sampler, usable_ladder
from profiler.samplers.base import Sampler, SamplerOptions
from profiler.samplers.rated import RatedSampler

NO_SAMPLER = "none"


def record(options: CaptureOptions, progress: Progress) -> Run:
    """Record one run.

    Raises:
        TargetError, SamplerError, UsageError: a partial run is kept where anything was measured.
        Interrupted: after Ctrl-C or SIGTERM, likewise.
    """
    chosen, spare, notes = _choose_samplers(options)
    if options.loaded:
        find_generator(options.load)  # a name that is not there is said before anything starts
    writer = RunWriter.create(options.output, _run_id(options))
    segments: list[Segment] = []
    broken: ProfilerError | None = None
    try:
        with _sigterm_interrupts():
            for number, group in enumerate(_group(chosen)):
                segments.append(
                    Segment(
                        options,
                        group,
                        spare=spare,
                        number=number,
                        logs=writer.logs,
                        scratch=writer.scratch(str(number)),
                        progress=progress,
                    )
                )
                broken = _run_segment(segments, options)
                if broken is not None:
                    break
            return _seal(writer, options, notes, segments, broken, progress)
    finally:
        # After a seal the folder has its final name, and nothing is left to discard.
        writer.discard()


def _choose_samplers(options: CaptureOptions) -> tuple[list[Chosen], list[Chosen], tuple[str, ...]]:
    """(those to use, those to fall back on, why better ones are not used)."""
    if options.samplers:
        named = [find_sampler(name) for name in options.samplers]
        for sampler in named:
            missing = sampler.probe(_wanted(sampler, options))
            if missing is not None:
                raise SamplerError(f"{sampler.name} can't sample here: {missing.reason}", hint=missing.fix)
        return [(sampler, _wanted(sampler, options)) for sampler in named], [], ()
    (best, *others), reasons = usable_ladder(launched=options.target.pid is None)
    # Once the target runs, a sampler that changes how it is launched comes too late.
    spare = [(sampler, _wanted(sampler, options)) for sampler in others if not sampler.inside]
    return [(best, _wanted(best, options))], spare, reasons


def _wanted(sampler: Sampler, options: CaptureOptions) -> SamplerOptions:
    hz = sampler.default_hz if isinstance(sampler, RatedSampler) else options.hz or sampler.default_hz
    return SamplerOptions(hz=hz, cpus=options.client_cpus)


def _group(chosen: Sequence[Chosen]) -> list[list[Chosen]]:
    """Samplers that leave the target as it is share one start of it; each other one gets its own."""
    shared = [entry for entry in chosen if not entry[0].inside]
    return [*([shared] if shared else []), *([entry] for entry in chosen if entry[0].inside)]


def _run_segment(segments: Sequence[Segment], options: CaptureOptions) -> ProfilerError | None:
    """Open, measure and close the last segment; what broke it, if anything did."""
    segment = segments[-1]
    first = sum(len({block.window for block in earlier.blocks}) for earlier in segments[:-1])
    broken: ProfilerError | None = None
    try:
        segment.open()
        samplers = [sampler for sampler, _ in segment.samplers]
        windows = plan_windows(
            [sampler.name for sampler in samplers if sampler.name != NO_SAMPLER],
            max(sampler.window_s for sampler in samplers),
            options.duration_s,
            base=options.loaded and all(sampler.switchable for sampler in samplers),
            seed=options.seed + first,
            first=first,
        )
        segment.measure(windows)
    except ProfilerError as error:
        broken = error
    except KeyboardInterrupt:
        broken = Interrupted("interrupted")
    errors = segment.close()
    return broken or (errors[0] if errors else None)


def _seal(
    writer: RunWriter,
    options: CaptureOptions,
    notes: Sequence[str],
    segments: Sequence[Segment],
    broken: ProfilerError | None,
    progress: Progress,
) -> Run:
    """Write what there is. Nothing measured: only the error. Something measured: a run, partial if it broke off."""
    blocks = merge_blocks(segment.blocks for segment in segments)
    if broken is None and options.loaded and not any(block.requests for block in blocks):
        raise TargetError(
            f"{options.endpoint.path if options.endpoint else '/'} completed no request while it was measured",
            hint="it answered once and then slowed to nothing: look at the server's log, or lower --connections",
        )
    if not blocks:
        raise broken or ProfilerError("nothing was measured")
    progress.phase("writing the run")
    captures = _write_profiles(writer, segments, blocks)
    for segment in segments:
        segment.keep_attachments(writer.attachments)
    run = writer.seal(_metadata(writer.final.name, options, notes, segments, blocks, captures, broken))
    if broken is not None:
        broken.message += f"; what was measured until then is kept, marked partial, in {run.path}"
        raise broken
    return run


def _write_profiles(writer: RunWriter, segments: Sequence[Segment], blocks: Sequence[Block]) -> list[Capture]:
    captures: list[Capture] = []
    for segment in segments:
        for sampler, wanted in segment.samplers:
            raw = segment.captures.get(sampler.name)
            if raw is not None and sampler.name != NO_SAMPLER:
                capture, profile = describe_capture(sampler, wanted, raw, blocks, segment.roots)
                writer.write_profile(sampler.name, profile)
                captures.append(capture)
    return captures


def _metadata(
    run_id: str,
    options: CaptureOptions,
    notes: Sequence[str],
    segments: Sequence[Segment],
    blocks: tuple[Block, ...],
    captures: Sequence[Capture],
    broken: ProfilerError | None,
) -> RunMetadata:
    load = next((segment.load_result for segment in segments if segment.load_result is not None), None)
    cpu, rps = figures(blocks, loaded=options.loaded)
    warnings, untrusted = doubts(blocks, load, captures)
    return RunMetadata(
        id=run_id,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        state=RunState.SEALED if broken is None else RunState.PARTIAL,
        target=next(segment.target_info for segment in segments if segment.target_info is not None),
        endpoint=describe_endpoint(options.endpoint, segments[0].response_bytes) if options.loaded else None,
        load=load,
        blocks=blocks,
        captures=tuple(captures),
        rps=rps,
        cpu=cpu,
        machine=describe_machine(),
        versions=describe_versions(),
        seed=options.seed,
        warnings=(
            *([f"broken off: {broken.message}"] if broken is not None else []),
            *notes,
            *(note for segment in segments for note in segment.notes),
            *warnings,
        ),
        untrusted=tuple(untrusted),
    )


def _run_id(options: CaptureOptions) -> str:
    """Sorts by time, says what was recorded, and does not collide."""
    what = options.endpoint.path if options.endpoint is not None else "process"
    slug = re.sub(r"[^a-z0-9]+", "-", what.lower().split("?", 1)[0]).strip("-")[:32] or "root"
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{slug}-{random.randrange(16**4):04x}"


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM ends a recording as Ctrl-C does: everything is stopped and what was measured is kept."""

    def interrupt(_signum: int, _frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
