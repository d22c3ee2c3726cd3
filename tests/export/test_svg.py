"""The SVG flamegraph as a file; what its script does in a browser is tested beside the viewer."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import msgspec
from synthetic import Shot, make_metadata, make_profile

from profiler.export import svg
from profiler.export.svg import SvgExporter
from profiler.model.profile import Profile
from profiler.views.picture import Choice, Picture, make_picture

NAMESPACE = "{http://www.w3.org/2000/svg}"


def picture(choice: Choice | None = None) -> Picture:
    return make_picture(make_profile(), make_metadata(distorted="slower calls"), "perf", choice)


def boxes(data: bytes) -> dict[str, list[tuple[float, float]]]:
    """(x, width) of each box by name, in document order."""
    found: dict[str, list[tuple[float, float]]] = {}
    for group in ElementTree.fromstring(data).iter(f"{NAMESPACE}g"):
        rect = group.find(f"{NAMESPACE}rect")
        if group.get("data-n") and rect is not None:
            found.setdefault(group.get("data-n", ""), []).append((float(rect.get("x", 0)), float(rect.get("width", 0))))
    return found


def test_widths_are_shares_and_children_lie_inside_their_parents() -> None:
    found = boxes(SvgExporter().encode(picture()))
    (whole,) = found["all"]
    (start,) = found["_start"]
    assert abs(start[1] / whole[1] - 18 / 24) < 0.001
    (handle,) = found["server::handle<T; N>"]
    assert start[0] <= handle[0]
    assert handle[0] + handle[1] <= start[0] + start[1]


def test_the_graph_names_sampler_distortion_and_time_per_request() -> None:
    text = SvgExporter().encode(picture(Choice(fold=True))).decode()
    for part in ("perf 499 Hz", "distorted: slower calls", "16.00 µs of CPU per request", "plumbing folded"):
        assert part in text
    assert "sys_sendto · kernel · [kernel]\n2.667 µs/request (16.67%), self 2.667 µs/request" in text


def test_it_needs_nothing_from_outside() -> None:
    text = SvgExporter().encode(picture()).decode()
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"<(image|use|foreignObject|link)|href|@import|url\(", text)


def test_hostile_names_are_text() -> None:
    profile = make_profile([Shot(stack="start hello", block=1)])
    evil = "</text><script>alert(1)</script>\x00\"'&]]>"
    frames = tuple(msgspec.structs.replace(frame, name=evil + frame.name) for frame in profile.frames)
    data = SvgExporter().encode(
        make_picture(Profile(frames=frames, stacks=profile.stacks, samples=profile.samples), make_metadata(), "perf")
    )
    assert len(list(ElementTree.fromstring(data).iter(f"{NAMESPACE}script"))) == 1
    assert any("alert(1)" in name for name in boxes(data))


def test_frames_too_narrow_to_see_are_left_out_and_counted() -> None:
    shots = [Shot(stack="start hello", block=1, weight_ns=10**9), Shot(stack="start memcpy", block=1, weight_ns=1000)]
    data = SvgExporter().encode(make_picture(make_profile(shots), make_metadata(), "perf"))
    assert "memcpy" not in boxes(data)
    assert "1 of 3 frames, each narrower than " in data.decode()


def test_the_number_of_boxes_is_limited_to_the_widest() -> None:
    before = svg.MAX_FRAMES
    try:
        svg.MAX_FRAMES = 4
        found = boxes(SvgExporter().encode(picture()))
    finally:
        svg.MAX_FRAMES = before
    assert set(found) == {"all", "_start", "_PyEval_EvalFrameDefault", "hello"}
