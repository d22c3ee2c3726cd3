"""A picture: the part of a profile that is looked at, and how it is counted.

Every view and every export starts from a picture. It holds only samples inside measured blocks, frames merged to
functions (or kept by line), plumbing folded where asked, and the basis that turns nanoseconds into µs per request.
"""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np

from profiler.errors import UsageError
from profiler.model.frame import Frame, Language
from profiler.model.profile import NO_BLOCK, Int64, Profile, Samples
from profiler.model.run import Capture, RunMetadata
from profiler.views.basis import Basis, make_basis
from profiler.views.fold import fold_stack

LANGUAGES = (Language.PYTHON, Language.CPYTHON, Language.RUST, Language.C, Language.KERNEL, Language.UNKNOWN)
"""From the application inwards: the order in which views name them."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What of a profile to look at."""

    fold: bool = False
    """Fold runtime plumbing into its caller."""
    by_line: bool = False
    """Keep frames of one function apart where their lines differ, and inlined frames marked."""
    thread: str = ""
    """Only threads of this name or number; empty for all."""
    process: int = 0
    """Only this process; 0 for all."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Samples of one sampler in measured blocks, with frames and stacks as they are to be seen."""

    metadata: RunMetadata
    capture: Capture
    choice: Choice
    basis: Basis
    frames: tuple[Frame, ...]
    """Functions, or frames by line: each differs from every other."""
    stacks: tuple[tuple[int, ...], ...]
    """Distinct; root first, leaf last."""
    samples: Samples
    language: Int64
    """Of each sample: index into LANGUAGES of the frame that was running, judged before folding."""
    threads: dict[tuple[int, int], str]

    @property
    def total_ns(self) -> int:
        return int(self.samples.weight_ns.sum())

    def stack_weights(self) -> Int64:
        """Σ weight of each stack, in nanoseconds."""
        return sum_by(self.samples.stack, self.samples.weight_ns, len(self.stacks))


def make_picture(profile: Profile, metadata: RunMetadata, sampler: str, choice: Choice | None = None) -> Picture:
    """Cut a picture out of a run.

    Raises:
        UsageError: the thread or the process asked for has no sample.
    """
    choice = choice or Choice()
    capture = next(capture for capture in metadata.captures if capture.sampler == sampler)
    basis = make_basis(metadata, sampler)
    samples = profile.samples
    if basis.groups:
        known = np.array(sorted(basis.groups), dtype=np.int64)
        samples = samples.select((samples.block != NO_BLOCK) & np.isin(samples.block, known))
    samples = _choose(samples, profile.threads, choice)
    frames, stacks, place = _merge(profile, samples, choice)
    return Picture(
        metadata=metadata,
        capture=capture,
        choice=choice,
        basis=basis,
        frames=frames,
        stacks=stacks,
        samples=dataclasses.replace(samples, stack=place[samples.stack]),
        language=_leaf_languages(profile)[samples.stack],
        threads=profile.threads,
    )


def sum_by(keys: Int64, weights: Int64, size: int) -> Int64:
    """Σ weights of each key from 0 to size - 1. Exact below 2^53 ns (104 days of CPU)."""
    return np.bincount(keys, weights=weights.astype(np.float64), minlength=size).astype(np.int64)


def _choose(samples: Samples, threads: dict[tuple[int, int], str], choice: Choice) -> Samples:
    if choice.process:
        pids = sorted({int(pid) for pid in np.unique(samples.pid)})
        samples = samples.select(samples.pid == choice.process)
        if not len(samples):
            raise UsageError(f"no sample of process {choice.process}", hint=f"processes with samples: {pids}")
    if choice.thread:
        pairs = {(int(pid), int(tid)) for pid, tid in np.unique(np.stack([samples.pid, samples.tid], 1), axis=0)}
        tids = [tid for pid, tid in pairs if choice.thread in (str(tid), threads.get((pid, tid)))]
        if not tids:
            names = ", ".join(sorted({threads.get(pair) or str(pair[1]) for pair in pairs})[:12])
            raise UsageError(f"no sample of a thread {choice.thread!r}", hint=f"threads with samples: {names}")
        samples = samples.select(np.isin(samples.tid, tids))
    return samples


def _leaf_languages(profile: Profile) -> Int64:
    leaves = (profile.frames[stack[-1]].language if stack else Language.UNKNOWN for stack in profile.stacks)
    return np.array([LANGUAGES.index(language) for language in leaves], dtype=np.int64)


def _merge(
    profile: Profile, samples: Samples, choice: Choice
) -> tuple[tuple[Frame, ...], tuple[tuple[int, ...], ...], Int64]:
    """(frames, distinct stacks, new index of each old stack); only what the samples use."""
    frames: dict[Frame | tuple[str, str, str], int] = {}
    shown: list[Frame] = []
    stacks: dict[tuple[int, ...], int] = {}
    renamed: dict[int, int] = {}
    place = np.zeros(len(profile.stacks), dtype=np.int64)
    for old in np.unique(samples.stack):
        stack = profile.stacks[old]
        if choice.fold:
            stack = fold_stack(stack, profile.frames)
        for index in stack:
            if index not in renamed:
                frame = profile.frames[index]
                key = frame if choice.by_line else frame.function
                if key not in frames:
                    frames[key] = len(shown)
                    shown.append(frame if choice.by_line else msgspec.structs.replace(frame, line=0, inlined=False))
                renamed[index] = frames[key]
        merged = tuple(renamed[index] for index in stack)
        place[old] = stacks.setdefault(merged, len(stacks))
    return tuple(shown), tuple(stacks), place
