"""Small made-up runs for tests of views, exports and the viewer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from profiler.model.block import Block
from profiler.model.estimate import Estimate
from profiler.model.frame import Frame, Language
from profiler.model.load import LoadResult
from profiler.model.profile import NO_BLOCK, Profile, Samples
from profiler.model.run import Capture, EndpointInfo, RunMetadata, TargetInfo

MS = 1_000_000
BLOCK_NS = 250 * MS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shot:
    """One sample to be: its stack as frame names, root first, separated by blanks."""

    stack: str
    weight_ns: int = 2 * MS
    block: int = 0
    pid: int = 100
    tid: int = 100


FRAMES = {
    "start": Frame(name="_start", module="server", language=Language.C),
    "eval": Frame(name="_PyEval_EvalFrameDefault", module="libpython3.13.so", language=Language.CPYTHON),
    "hello": Frame(name="hello", module="app/views.py", language=Language.PYTHON, file="/srv/app/views.py", line=12),
    "hello13": Frame(name="hello", module="app/views.py", language=Language.PYTHON, file="/srv/app/views.py", line=13),
    "poll": Frame(
        name="tokio::runtime::task::poll", module="server.so", language=Language.RUST, file="task.rs", plumbing=True
    ),
    "handle": Frame(name="server::handle<T; N>", module="server.so", language=Language.RUST, file="handle.rs", line=40),
    "write": Frame(name="server::write", module="server.so", language=Language.RUST, file="w.rs", line=9, inlined=True),
    "sendto": Frame(name="sys_sendto", module="[kernel]", language=Language.KERNEL),
    "memcpy": Frame(name="memcpy", module="libc.so.6", language=Language.C),
    "lost": Frame(name="[unknown]", module="", language=Language.UNKNOWN),
}

# 10 samples in measured blocks, 2 outside; weights add to 24 ms.
SHOTS = (
    Shot(stack="start eval hello", block=1),
    Shot(stack="start eval hello13", block=1),
    Shot(stack="start eval hello memcpy", block=3, weight_ns=4 * MS),
    Shot(stack="start eval hello eval hello", block=3),
    Shot(stack="start poll handle write sendto", block=1, tid=101),
    Shot(stack="start poll handle write sendto", block=3, tid=101),
    Shot(stack="start poll handle", block=3, tid=101, weight_ns=3 * MS),
    Shot(stack="start poll", block=1, tid=101, weight_ns=1 * MS),
    Shot(stack="poll", block=3, tid=102),
    Shot(stack="lost", block=5, pid=200, tid=200, weight_ns=4 * MS),
    Shot(stack="start memcpy", block=NO_BLOCK),
    Shot(stack="sendto", block=NO_BLOCK, tid=555),
)


def make_profile(shots: Sequence[Shot] = SHOTS) -> Profile:
    """A profile of these samples; each sample follows the one before by a millisecond."""
    names = list(FRAMES)
    stacks = list(dict.fromkeys(shot.stack for shot in shots))
    samples = Samples(
        time_ns=np.array([(max(shot.block, 0)) * BLOCK_NS + n * MS for n, shot in enumerate(shots)], dtype=np.int64),
        pid=np.array([shot.pid for shot in shots], dtype=np.int64),
        tid=np.array([shot.tid for shot in shots], dtype=np.int64),
        block=np.array([shot.block for shot in shots], dtype=np.int64),
        weight_ns=np.array([shot.weight_ns for shot in shots], dtype=np.int64),
        stack=np.array([stacks.index(shot.stack) for shot in shots], dtype=np.int64),
    )
    return Profile(
        frames=tuple(FRAMES.values()),
        stacks=tuple(tuple(names.index(name) for name in stack.split()) for stack in stacks),
        samples=samples,
        threads={(100, 100): "server", (100, 101): "worker;1", (100, 102): "worker;1", (200, 200): "helper"},
    )


def make_metadata(*, requests: int = 500, distorted: str = "", blocks: int = 6, hz: float = 499.0) -> RunMetadata:
    """Blocks alternate: even ones without a sampler, odd ones with `perf`; three windows of each."""
    return RunMetadata(
        id="20261121-120000-testapp",
        created="2026-11-21T12:00:00+00:00",
        target=TargetInfo(kind="django-bolt", name="testapp", command=("python", "manage.py", "runbolt")),
        endpoint=EndpointInfo(path="/hello", method="GET", status=200, response_bytes=12) if requests else None,
        load=LoadResult(generator="native", requests=requests * blocks, seconds=blocks / 4, http_version="1.1")
        if requests
        else None,
        blocks=tuple(
            Block(
                index=number,
                window=number,
                round=number // 2,
                sampler="perf" if number % 2 else "",
                start_ns=number * BLOCK_NS,
                end_ns=(number + 1) * BLOCK_NS,
                requests=requests,
                errors=0,
                cpu_ns=9 * MS,
                marks=("worker 12 exited",) if number == 3 else (),
            )
            for number in range(blocks)
        ),
        captures=(
            Capture(
                sampler="perf",
                version="6.1",
                hz=hz,
                samples=12,
                lost=1,
                quality={"truncated": 0.01, "unknown_symbols": 0.02},
                distorted=distorted,
                sampled_cpu_ns=24 * MS,
                measured_cpu_ns=27 * MS,
                agreement=Estimate(value=24 / 27, low=0.8, high=0.95, n=3, unit="sampled CPU / measured CPU"),
                overhead=Estimate(value=0.012, low=-0.004, high=0.03, n=3, unit="relative"),
                sampler_cpu_s=0.4,
            ),
        ),
        rps=Estimate(value=2000.0, low=1950.0, high=2050.0, n=3, unit="requests/s") if requests else None,
        cpu=Estimate(value=18.0, low=17.5, high=18.5, n=3, unit="µs per request") if requests else None,
        machine={"cpu": "Test CPU", "kernel": "6.1"},
        versions={"profiler": "0.1.0"},
    )
