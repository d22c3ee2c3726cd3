"""Files of other tools: what they say is kept, what they lack is said, damage is one line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import UsageError
from profiler.model.frame import Language
from profiler.model.profile import RawCapture
from profiler.stacks import build_profile
from profiler.stacks.folded import parse_folded
from profiler.stacks.pyspy_raw import parse_pyspy_raw
from profiler.stacks.speedscope_json import parse_speedscope


def weights(raw: RawCapture) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}
    for stack, weight in zip(raw.samples.stack.tolist(), raw.samples.weight_ns.tolist(), strict=True):
        names = tuple(raw.frames[index].name for index in raw.stacks[stack])
        found[names] = found.get(names, 0) + weight
    return found


def test_folded_stacks_with_marks_modules_and_kernel() -> None:
    text = (
        "worker;main;do_work 3\nworker;libssl.so`SSL_write;entry_SYSCALL_64_after_hwframe;tcp_sendmsg 4\n"
        "worker;spin_[i];handle_irq_[k] 2\nworker;py::view:/srv/app/views.py 1\n\n# comment\nworker;a b;c d 5\n"
    )
    raw = parse_folded(text, unit_ns=1000)
    assert weights(raw)[("worker", "main", "do_work")] == 3000
    assert weights(raw)[("worker", "a b", "c d")] == 5000
    frames = {frame.name: frame for frame in build_profile(raw).frames}
    assert frames["tcp_sendmsg"].language is frames["handle_irq"].language is Language.KERNEL
    assert frames["SSL_write"].module == "libssl.so"
    assert frames["spin"].inlined
    assert (frames["view"].language, frames["view"].module) == (Language.PYTHON, "app/views.py")


@pytest.mark.parametrize("text", ["", "no weight\n", "a;b -3\n", "# only a comment\n", f"a;b {10**30}\n"])
def test_what_is_no_folded_file_is_one_line(text: str) -> None:
    with pytest.raises(UsageError):
        parse_folded(text)


def test_py_spy_labels_python_native_processes_and_threads() -> None:
    text = (
        'process 12:"python app.py";thread (0x7F01): main;<module> (app.py:3);work (lib/job.py:10) 7\n'
        "<module> (/srv/app.py:3);PyObject_Call (libpython3.13.so.1.0);memcpy (libc.so.6) 2\n"
        "run (src/lib.rs:20);core::fmt::write (x/_core.so) 1\n"
    )
    raw = parse_pyspy_raw(text)
    assert raw.samples.pid.tolist() == [12, 0, 0]
    assert weights(raw)[("<module>", "work")] == 7
    frames = {frame.name: frame for frame in build_profile(raw).frames}
    assert (frames["work"].language, frames["work"].line) == (Language.PYTHON, 10)
    assert frames["PyObject_Call"].language is Language.CPYTHON
    assert frames["memcpy"].language is Language.C
    assert frames["core::fmt::write"].language is Language.RUST


def test_a_py_spy_line_without_count_is_one_line() -> None:
    with pytest.raises(UsageError, match="line 2"):
        parse_pyspy_raw("a (b.py:1) 3\nbroken (c.py:2)\n")


def speedscope(*profiles: dict[str, object]) -> bytes:
    frames = [{"name": "root"}, {"name": "view (/srv/app/views.py:4)"}, {"name": "leaf", "file": "x.py", "line": 2}]
    return json.dumps({"shared": {"frames": frames}, "profiles": profiles}).encode()


def sampled(name: str, samples: list[list[int]], weights: list[float], unit: str = "seconds") -> dict[str, object]:
    return {"type": "sampled", "name": name, "unit": unit, "samples": samples, "weights": weights}


def test_speedscope_threads_are_not_counted_twice() -> None:
    one, two = sampled("one", [[0, 1]], [0.25]), sampled("two", [[0, 1], [0, 1, 2]], [0.5, 0.25])
    everything = sampled("all", [[0, 1], [0, 1, 2]], [0.75, 0.25])
    part = sampled("slice", [[0, 1]], [0.1])
    raw = parse_speedscope(speedscope(everything, one, two, part))
    assert int(raw.samples.weight_ns.sum()) == 10**9
    assert sorted(raw.threads.values()) == ["one", "two"]
    assert {frame.kind for frame in raw.frames} == {"native", "python"}
    assert int(parse_speedscope(speedscope(one, two)).samples.weight_ns.sum()) == 10**9


def test_speedscope_events_become_stacks() -> None:
    events = [
        {"type": kind, "at": at, "frame": frame}
        for kind, at, frame in [("O", 0, 0), ("O", 2, 1), ("C", 5, 1), ("C", 6, 0), ("O", 9, 0), ("C", 10, 0)]
    ]
    raw = parse_speedscope(speedscope({"type": "evented", "name": "t", "unit": "milliseconds", "events": events}))
    assert weights(raw) == {("root",): 4_000_000, ("root", "view"): 3_000_000}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        speedscope(),
        speedscope(sampled("t", [[9]], [1.0])),
        speedscope(sampled("t", [[-1]], [1.0])),
        speedscope(sampled("t", [[0]], [1.0, 2.0])),
        speedscope(sampled("t", [[0]], [1e300])),
        speedscope(sampled("t", [[0]], [-1.0])),
        speedscope({"type": "evented", "name": "t", "events": [{"type": "C", "at": 0, "frame": 0}]}),
    ],
)
def test_a_damaged_speedscope_file_is_one_line(data: bytes) -> None:
    with pytest.raises(UsageError):
        parse_speedscope(data)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_folded, parse_pyspy_raw):
        try:
            build_profile(parse(text))
        except UsageError as error:
            assert "\n" not in error.message


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        parse_speedscope(data)
