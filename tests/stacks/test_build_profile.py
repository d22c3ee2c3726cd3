"""Merging frames and stacks keeps every nanosecond where it was."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from profiler.model.frame import Language
from profiler.model.profile import NO_BLOCK, RawCapture, RawFrame, Samples
from profiler.stacks import build_profile

NAMES = ("f", "f.part.0", "f.cold", "g", "_ZN3app1gE", "_ZN3app1g17h0123456789abcdefE", "", "Py_Run")
raw_frames = st.builds(
    RawFrame,
    kind=st.sampled_from(("python", "native", "kernel")),
    name=st.sampled_from(NAMES),
    module=st.sampled_from(("", "/lib/a.so", "/lib/site-packages/x/y.py")),
    line=st.integers(0, 3),
    address=st.integers(0, 2),
)


@st.composite
def captures(draw: st.DrawFn) -> RawCapture:
    frames = draw(st.lists(raw_frames, min_size=1, max_size=8))
    stack = st.lists(st.integers(0, len(frames) - 1), max_size=6).map(tuple)
    stacks = draw(st.lists(stack, min_size=1, max_size=8))
    rows = draw(st.lists(st.tuples(st.integers(0, len(stacks) - 1), st.integers(1, 10**9)), max_size=20))
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    zeros = np.zeros(len(rows), dtype=np.int64)
    samples = Samples(
        time_ns=zeros, pid=zeros, tid=zeros, block=zeros + NO_BLOCK, weight_ns=table[:, 1], stack=table[:, 0]
    )
    return RawCapture(frames=tuple(frames), stacks=tuple(stacks), samples=samples)


@given(captures())
def test_each_sample_keeps_its_weight_and_its_path(raw: RawCapture) -> None:
    profile = build_profile(raw)
    assert len(set(profile.frames)) == len(profile.frames)
    assert len(set(profile.stacks)) == len(profile.stacks)
    assert profile.samples.weight_ns.tolist() == raw.samples.weight_ns.tolist()
    alone = [build_profile_of(frame, raw) for frame in raw.frames]
    before: Counter[tuple[object, ...]] = Counter()
    after: Counter[tuple[object, ...]] = Counter()
    for stack, weight in zip(raw.samples.stack.tolist(), raw.samples.weight_ns.tolist(), strict=True):
        before[tuple(alone[index] for index in raw.stacks[stack])] += weight
    for stack, weight in zip(profile.samples.stack.tolist(), profile.samples.weight_ns.tolist(), strict=True):
        after[tuple(profile.frames[index] for index in profile.stacks[stack])] += weight
    assert before == after


def build_profile_of(frame: RawFrame, raw: RawCapture) -> object:
    single = RawCapture(frames=(frame,), stacks=((0,),), samples=Samples.empty(), modules=raw.modules)
    return build_profile(single).frames[0]


def test_parts_of_one_function_are_one_function() -> None:
    frames = tuple(RawFrame(kind="native", name=name, module="/lib/libpython3.13.so") for name in NAMES[:3])
    count = np.arange(3, dtype=np.int64)
    samples = Samples(time_ns=count, pid=count, tid=count, block=count, weight_ns=count + 1, stack=count)
    profile = build_profile(RawCapture(frames=frames, stacks=((0,), (1,), (2,)), samples=samples))
    assert {frame.function for frame in profile.frames} == {(Language.CPYTHON.value, "libpython3.13.so", "f")}


def test_an_empty_capture_is_an_empty_profile() -> None:
    profile = build_profile(RawCapture(frames=(), stacks=(), samples=Samples.empty()))
    assert (profile.frames, profile.stacks, len(profile.samples)) == ((), (), 0)
