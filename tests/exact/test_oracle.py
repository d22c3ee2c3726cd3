"""Every stack that is recorded of a program with a known nesting is one that can be; and the shares are right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from call_rules import RUST_MODULE, relevant, rust_name, why_impossible
from sampled_stacks import Stack, build_oracle, interpreters, running_oracle, sample, stacks_of

from profiler.samplers.exact_process import RecorderProcess

INTERPRETERS = interpreters()


@pytest.fixture(scope="module", params=INTERPRETERS, ids=lambda path: path.parts[-3])
def python(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture(scope="module")
def extension(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oracle")
    build_oracle(folder, python)
    return folder


def test_no_stack_is_impossible_and_shares_are_right(
    python: Path, extension: Path, tmp_path: Path, stolen_s: Callable[[], float]
) -> None:
    with running_oracle(python, extension, "sections") as oracle:
        oracle.start_counting()
        capture = sample([oracle.pid], tmp_path, hz=1999, seconds=2)
        used = oracle.finish()
    stolen = stolen_s()
    assert capture.lost == 0
    assert len(capture.samples) > 500
    assert capture.quality["unspliced"] < 0.005
    assert capture.quality["truncated"] < 0.005
    assert capture.quality["root_reached"] > 0.99
    stacks = stacks_of(capture)
    fitting = [stack for stack in stacks if "[unspliced]" not in stack.names]
    impossible = {why_impossible(stack.frames) for stack in fitting} - {""}
    assert not impossible
    assert_rust_is_seen(fitting)

    # Shares of the sections that use no CPU but their own thread's.
    alone = {name for name in used if name not in ("stateless", "from_thread", "rust_alone")}
    seen = dict.fromkeys(alone, 0)
    for stack in fitting:
        for name in alone.intersection(relevant(stack.frames)):
            if stack.thread == "run_sections" or stack.thread.startswith("python"):
                seen[name] += stack.count
    total, total_used = sum(seen.values()), sum(used[name] for name in alone)
    for name in sorted(alone):
        share, expected = seen[name] / total, used[name] / total_used
        doubt = 5 * math.sqrt(max(expected * (1 - expected), 0.01) / total) + stolen / total_used
        assert abs(share - expected) < 0.01 + doubt, f"{name}: {share:.3f} of the samples, {expected:.3f} of the CPU"


PYTHON_TO_PYTHON = [
    "rust_reenter", "rust_call()", "oracle_rust_call()", "rust::generic", "rust::oracle_rust_call::{closure}",
    "rust::Callback::call", "inner_call()", "middle_rust",
]  # fmt: skip


def assert_rust_is_seen(stacks: list[Stack]) -> None:
    """Each way through Rust: re-entry, unwinding, recursion, inlined generics, a thread without Python state."""
    together = [relevant(stack.frames) for stack in stacks]
    assert any(names[2:10] == PYTHON_TO_PYTHON for names in together)
    assert any(names[-2:] == ["leaf_callback", "leaf_python"] and "rust::panicking" in names for names in together)
    assert any("rust::descend" in names and "leaf_callback" in names for names in together)
    inlined = ["rust::spin", "rust::twist_both", "rust::Rotating::twist"]
    assert any(names[-4:] == ["oracle_rust_spin()", *inlined] for names in together)
    assert any(names[:2] == ["rust::oracle_rust_thread::{closure}", "rust::lonely"] for names in together)
    own = {frame for stack in stacks for frame in stack.frames if frame.module.endswith(RUST_MODULE)}
    own = {frame for frame in own if rust_name(frame.name).startswith("rust::")}
    assert {frame.inlined for frame in own if "twist" in frame.name} == {True}
    assert {frame.language for frame in own} == {"rust"}
    assert all(frame.file.endswith("oracle.rs") and frame.line for frame in own)


def test_the_running_line_is_right(python: Path, extension: Path, tmp_path: Path) -> None:
    lines = (Path(__file__).with_name("oracle_target.py")).read_text().splitlines()
    with running_oracle(python, extension, "sections") as oracle:
        capture = sample([oracle.pid], tmp_path, hz=999, seconds=1)
    checked = 0
    for stack in stacks_of(capture):
        own = [frame for frame in stack.frames if frame.file.endswith("oracle_target.py")]
        for frame, callee in itertools.pairwise(own):
            if frame.name == "section" or callee.name not in ("leaf_python", "recurse", "raise_deep"):
                continue
            assert f"{callee.name}(" in lines[frame.line - 1], f"{frame.name} calls {callee.name} in line {frame.line}"
            checked += 1
    assert checked > 10


def test_threads_born_and_dying_and_threads_without_python(python: Path, extension: Path, tmp_path: Path) -> None:
    with running_oracle(python, extension, "churn") as oracle:
        oracle.start_counting()
        capture = sample([oracle.pid], tmp_path, hz=1999, seconds=2)
        told = oracle.finish()
    assert told["born"] > 1000 * told["born_in_seconds"], "a thousand threads a second"
    stacks = stacks_of(capture)
    assert capture.quality["unspliced"] < 0.01
    assert capture.quality["truncated"] < 0.005
    assert len(set(capture.samples.tid.tolist())) > 100
    fitting = [stack for stack in stacks if "[unspliced]" not in stack.names]
    assert not {f"{why}: {stack.names}" for stack in fitting if (why := why_impossible(stack.frames))}
    together = [relevant(stack.frames) for stack in fitting]
    assert any(names[:1] == ["short_lived"] for names in together), "short-lived threads are seen"
    assert any(names[:2] == ["stateless()", "spin()"] for names in together), "threads without Python state are seen"
    assert any(names[:1] == ["attaching()"] and "leaf_callback" in names for names in together)
    newborn = [names for names in together if names[:2] == ["rust::oracle_rust_births::{closure}", "rust::newborn"]]
    assert any(names[2:3] == ["rust::spin"] for names in newborn)
    assert any(
        names[2:6] == ["rust::Callback::call", "attached_call()", "inner_call()", "short_lived"] for names in newborn
    )


def test_attaching_while_threads_are_born_and_die(python: Path, extension: Path, tmp_path: Path) -> None:
    with running_oracle(python, extension, "churn") as oracle:
        for _ in range(50):
            recorder = RecorderProcess(tmp_path / "recorder.log")
            try:
                answer = recorder.ask("attach", pids=[oracle.pid], period_ns=1_000_000, folder=str(tmp_path))
            finally:
                recorder.close()
            assert [found["pid"] for found in answer["interpreters"]] == [oracle.pid]


def test_forked_children_are_seen_from_their_first_instant(python: Path, extension: Path, tmp_path: Path) -> None:
    with running_oracle(python, extension, "fork") as oracle:
        oracle.start_counting()
        capture = sample([oracle.pid], tmp_path, hz=999, seconds=2)
        oracle.finish()
    children = set(capture.samples.pid.tolist()) - {oracle.pid}
    assert len(children) > 3
    stacks = stacks_of(capture)
    assert not {why_impossible(stack.frames) for stack in stacks if "[unspliced]" not in stack.names} - {""}
    working = sum(stack.count for stack in stacks if relevant(stack.frames)[:2] == ["forked", "leaf_python"])
    assert working > 0.5 * len(capture.samples)
