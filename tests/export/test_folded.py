"""Folded text: what grep and flamegraph tools rely on."""

from __future__ import annotations

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from synthetic import Shot, make_metadata, make_profile

from profiler.export.folded import FoldedExporter, plain
from profiler.model.profile import Profile
from profiler.views.picture import make_picture


def test_lines_are_root_to_leaf_with_whole_nanoseconds() -> None:
    lines = FoldedExporter().encode(make_picture(make_profile(), make_metadata(), "perf")).decode().splitlines()
    assert "_start;_PyEval_EvalFrameDefault;hello;memcpy 4000000" in lines
    assert lines == sorted(lines)
    assert all(re.fullmatch(r".+ [1-9][0-9]*", line) for line in lines)


def test_separators_in_names_do_not_break_a_line() -> None:
    profile = make_profile([Shot(stack="start hello", block=1)])
    frames = tuple(msgspec.structs.replace(frame, name=f"a;b\n{frame.name} <T; 2>") for frame in profile.frames)
    picture = make_picture(
        Profile(frames=frames, stacks=profile.stacks, samples=profile.samples), make_metadata(), "perf"
    )
    assert FoldedExporter().encode(picture) == b"a:b _start <T: 2>;a:b hello <T: 2> 2000000\n"


@given(st.text())
def test_any_name_fits_between_separators(name: str) -> None:
    assert plain(name)
    assert ";" not in plain(name)
    assert len(plain(name).splitlines()) == 1
