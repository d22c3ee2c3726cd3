"""One start of the target: its load, its samplers, and the windows measured on it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from profiler.capture.assemble import server_busy
from profiler.capture.options import CaptureOptions, Progress
from profiler.capture.schedule import PlannedWindow
from profiler.errors import ProfilerError, SamplerError, TargetError
from profiler.load import LoadSession, find_generator
from profiler.load.verdict import judge_with_server
from profiler.model.block import Block, BlockCount, LoadBlock, LoadBlocks, Window
from profiler.model.launch import Launch
from profiler.model.load import LoadResult, LoadSpec
from profiler.model.profile import RawCapture
from profiler.model.run import TargetInfo
from profiler.overlays import Overlay, overlay_launch
from profiler.samplers.base import Sampler, SamplerOptions, SamplerSession
from profiler.targets import CpuMeter, RunningTarget, start_target
from profiler.targets.readiness import constant_length

# Time between announcing a window and its first instant: the announcement crosses a pipe to the generator.
LEAD_NS = 50_000_000

T = TypeVar("T")

Chosen = tuple[Sampler, SamplerOptions]


class Segment:
    """A running target with everything that measures it. `close` ends all of it, whatever state it is in."""

    def __init__(
        self,
        options: CaptureOptions,
        samplers: Sequence[Chosen],
        *,
        spare: Sequence[Chosen] = (),
        number: int,
        logs: Path,
        scratch: Path,
        progress: Progress,
    ) -> None:
        self._options = options
        self.samplers = list(samplers)
        """Those that are really used: one that does not understand the target is replaced by a spare one."""
        self._spare = list(spare)
        self.notes: list[str] = []
        self._number = number
        self._logs = logs
        self._scratch = scratch
        self._progress = progress
        self._target: RunningTarget | None = None
        self._meter: CpuMeter | None = None
        self._load: LoadSession | None = None
        self._sessions: dict[str, SamplerSession] = {}
        self._on: SamplerSession | None = None
        self._wrapped: set[str] = set()
        self._overlays: tuple[Overlay, ...] = ()
        self.blocks: list[Block] = []
        self._load_blocks: list[LoadBlock] = []
        self.captures: dict[str, RawCapture] = {}
        self.load_result: LoadResult | None = None
        self.target_info: TargetInfo | None = None
        self.response_bytes = 0
        self.roots: tuple[str, ...] = ()
        """The project's folder: names of its files are shortened to what comes after it."""

    def open(self) -> None:
        """Start the target, prove that it answers, bring the load to a steady rate, prepare the samplers."""
        options = self._options
        self._progress.phase("starting the target")
        self._target = start_target(options.target, wrap=self._wrap, logs=self._logs)
        self._progress.phase("waiting until it answers")
        self.response_bytes = self._target.wait_ready(options.endpoint, options.ready_timeout_s)
        self._meter = CpuMeter(self._target.pids, self._target.cpu_group())
        if options.loaded:
            self._start_load(self._target)
        self.target_info = self._describe(self._target)
        self.samplers = [self._attach(sampler, wanted) for sampler, wanted in self.samplers]

    def _attach(self, sampler: Sampler, wanted: SamplerOptions) -> Chosen:
        """Prepare a sampler; where it fails and nobody asked for it by name, the next best one."""
        assert self._target is not None
        while True:
            try:
                session = sampler.attach(self._target.pids(), wanted, self._folder(sampler))
            except SamplerError as error:
                if not self._spare:
                    raise
                self.notes.append(f"{sampler.name} could not sample this target: {error.message}")
                sampler, wanted = self._spare.pop(0)
            else:
                self._sessions[sampler.name] = session
                return sampler, wanted

    def _folder(self, sampler: Sampler) -> Path:
        folder = self._scratch / sampler.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def _wrap(self, launch: Launch) -> Launch:
        self.roots = (launch.folder or str(Path.cwd()),)
        launch, self._overlays = overlay_launch(launch, self._options.symbols)
        for sampler, wanted in self.samplers:
            changed = sampler.wrap(launch, wanted, self._folder(sampler))
            if changed != launch:
                self._wrapped.add(sampler.name)
            launch = changed
        return launch

    def _describe(self, target: RunningTarget) -> TargetInfo:
        info = target.info()
        rebuilt = tuple(
            f"{overlay.package} {overlay.version} was rebuilt with symbols for this run" for overlay in self._overlays
        )
        return msgspec.structs.replace(info, notes=(*info.notes, *rebuilt))

    def _start_load(self, target: RunningTarget) -> None:
        options = self._options
        assert options.endpoint is not None and target.url is not None
        spec = LoadSpec(
            url=target.url,
            endpoint=options.endpoint,
            connections=options.connections,
            rps=options.rps,
            warm_up_s=options.warm_up_s,
            cpus=options.client_cpus,
            expect_length=constant_length(target.url, options.endpoint),
            deadline_s=options.warm_up_s + 60 + 20 * options.duration_s * (1 + len(self.samplers)),
        )
        self._load = find_generator(options.load).start(spec, self._logs / f"load-{self._number}.log")
        self._progress.phase("warming up")
        self._load.warm_up(self._progress.tick)

    def measure(self, windows: Sequence[PlannedWindow]) -> None:
        """Run the windows one after the other; `blocks` grows with each, so that a break loses only the open one."""
        self._progress.phase("measuring")
        for number, planned in enumerate(windows):
            self._progress.advance(number, len(windows))
            session = self._sessions.get(planned.sampler)
            if session is not None:
                self._on = session
                session.on()
            self.blocks.extend(self._measure_window(planned))
            if session is not None:
                session.off()
                self._on = None
        self._progress.advance(len(windows), len(windows))

    def _measure_window(self, planned: PlannedWindow) -> list[Block]:
        assert self._meter is not None and self._target is not None
        window = Window(
            index=planned.index,
            start_ns=time.monotonic_ns() + LEAD_NS,
            block_ns=planned.block_ns,
            blocks=planned.blocks,
        )
        if self._load is not None:
            self._load.begin(window)
        readings: list[int] = []
        marks: list[tuple[str, ...]] = []
        for edge in window.edges():
            readings.append(self._meter.read_at(edge))
            marks.append(tuple(self._meter.changes()))
        counts: Sequence[BlockCount] = [BlockCount(requests=0, errors=0)] * window.blocks
        if self._load is not None:
            counts = self._load.collect(window)
        if (ended := self._target.ended()) is not None:
            raise TargetError(f"the target {ended} while it was measured", hint="its last lines are in the run's logs")
        edges = window.edges()
        if self._load is not None:
            self._load_blocks.extend(
                LoadBlock(
                    start_ns=edges[i],
                    end_ns=edges[i + 1],
                    server_cpu_ns=readings[i + 1] - readings[i],
                    count=counts[i],
                )
                for i in range(window.blocks)
            )
        return [
            Block(
                index=len(self.blocks) + i,
                window=planned.index,
                round=planned.round,
                segment=self._number,
                sampler=planned.sampler,
                start_ns=edges[i],
                end_ns=edges[i + 1],
                requests=counts[i].requests,
                errors=counts[i].errors,
                cpu_ns=readings[i + 1] - readings[i],
                marks=marks[i + 1],
            )
            for i in range(window.blocks)
        ]

    def close(self) -> list[ProfilerError]:
        """End load, samplers and target, and collect what they have. Errors on the way are returned, not raised:
        the first thing that went wrong is what the user needs, and it is usually on its way already."""
        errors: list[ProfilerError] = []
        if self._on is not None:
            _attempt(errors, self._on.off)
        if self._load is not None:
            load = self._load
            self.load_result = self._judge(_attempt(errors, load.stop))
        target = self._target
        if target is not None:
            self.target_info = _attempt(errors, lambda: self._describe(target)) or self.target_info
        if self.blocks:
            self._progress.phase("reading the stacks")
        for name in [name for name in self._sessions if name not in self._wrapped]:
            self._finish(name, errors)
        if self._target is not None:
            _attempt(errors, self._target.stop)
        # A sampler that works inside the target writes its result when the target ends.
        for name in self._wrapped & self._sessions.keys():
            self._finish(name, errors)
        return errors

    def _judge(self, result: LoadResult | None) -> LoadResult | None:
        """The generator's verdict on itself, given anew with how busy the server was."""
        if result is None or self.target_info is None or not self.blocks:
            return result
        cpus = self.target_info.cpus or tuple(os.sched_getaffinity(0))
        return judge_with_server(result, server_busy(self.blocks, len(cpus)))

    def keep_attachments(self, folder: Path) -> None:
        """Move the files that samplers want kept (they put them under `keep/` in their folder) into the run, and write
        what the load generator says of each block."""
        if self._load_blocks:
            kept = LoadBlocks(segment=self._number, blocks=tuple(self._load_blocks))
            (folder / f"load-blocks-{self._number}.json").write_bytes(msgspec.json.encode(kept))
        for path in self._scratch.glob("*/keep/*"):
            path.rename(folder / path.name)

    def _finish(self, name: str, errors: list[ProfilerError]) -> None:
        capture = _attempt(errors, self._sessions[name].finish)
        if capture is not None:
            self.captures[name] = capture


def _attempt(errors: list[ProfilerError], action: Callable[[], T]) -> T | None:
    try:
        return action()
    except ProfilerError as error:
        errors.append(error)
        return None
