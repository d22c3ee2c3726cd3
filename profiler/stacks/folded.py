"""Folded stacks, as flamegraph tools write them: `root;…;leaf weight`, one line for each distinct stack.

Names that carry the marks of stackcollapse tools (`_[k]` kernel, `_[j]` run-time code, `_[i]` inlined) lose them; a
Python frame is one whose name ends in a place such as `(file.py:12)`. Weights have no unit in this format: they are
taken as nanoseconds unless the caller says otherwise.
"""

from __future__ import annotations

import re

import msgspec
import numpy as np

from profiler.errors import UsageError
from profiler.model.profile import NO_BLOCK, RawCapture, RawFrame, Samples
from profiler.stacks.foreign import nanoseconds
from profiler.stacks.pyspy_raw import parse_frame

_LINE = re.compile(r"^(?P<path>.*\S)\s+(?P<weight>\d+(?:\.\d+)?)$")
_MARK = re.compile(r"_\[(?P<mark>[kji])\]$")
_MODULE = re.compile(r"^(?P<module>[^`;()<> ]+)`(?P<name>.+)$")
# A name that tells where it runs without a mark.
_KERNEL = re.compile(r"^(entry_SYSCALL_64|do_syscall_64|asm_sysvec_|__x64_sys_|ret_from_fork)")


def parse_folded(text: str, *, unit_ns: float = 1.0) -> RawCapture:
    """A capture with one sample for each line; its weight is the line's number times `unit_ns`.

    Raises:
        UsageError: no line, or a line without a weight.
    """
    frames: dict[RawFrame, int] = {}
    labels: dict[tuple[str, bool], int] = {}
    stacks: dict[tuple[int, ...], int] = {}
    rows: list[tuple[int, int]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.match(line)
        if found is None:
            raise UsageError(
                f"line {number} is no folded stack: {line[:80]!r}", hint="each line is `root;…;leaf weight`"
            )
        stack = _stack(found["path"].split(";"), labels, frames)
        weight = nanoseconds(float(found["weight"]) * unit_ns, f"line {number}")
        rows.append((weight, stacks.setdefault(stack, len(stacks))))
    if not rows:
        raise UsageError("there is no stack in this file")
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    zeros = np.zeros(len(rows), dtype=np.int64)
    samples = Samples(
        time_ns=zeros, pid=zeros, tid=zeros, block=np.full(len(rows), NO_BLOCK, dtype=np.int64),
        weight_ns=table[:, 0], stack=table[:, 1],
    )  # fmt: skip
    return RawCapture(frames=tuple(frames), stacks=tuple(stacks), samples=samples)


def _stack(path: list[str], labels: dict[tuple[str, bool], int], frames: dict[RawFrame, int]) -> tuple[int, ...]:
    """Frame numbers; what lies behind the way into the kernel is kernel too."""
    stack: list[int] = []
    kernel = False
    for label in path:
        kernel = kernel or _KERNEL.match(label) is not None
        key = (label, kernel)
        if key not in labels:
            labels[key] = frames.setdefault(_frame(label, kernel), len(frames))
        stack.append(labels[key])
    return tuple(stack)


def _frame(label: str, kernel: bool) -> RawFrame:
    mark = _MARK.search(label)
    name = label[: mark.start()] if mark else label
    kind = mark["mark"] if mark else ""
    if kind == "k" or kernel:
        return RawFrame(kind="kernel", name=name)
    module = _MODULE.match(name)
    if module is not None:
        return RawFrame(kind="native", name=module["name"], module=module["module"], inlined=kind == "i")
    trampoline = name.removeprefix("py::")
    if trampoline != name and ":" in trampoline:
        function, _, file = trampoline.partition(":")
        return RawFrame(kind="python", name=function, module=file, file=file)
    parsed = parse_frame(name)
    return parsed if kind != "i" else msgspec.structs.replace(parsed, inlined=True)
