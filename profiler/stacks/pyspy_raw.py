"""py-spy's raw format: one line for each distinct stack, frames separated by semicolons, root first, then a count.

Python frames are `function (file:line)`, native frames `symbol (module)` or `symbol (file:line)`; with `--threads` and
`--subprocesses` the first frames name process and thread.
"""

from __future__ import annotations

import re

import numpy as np

from profiler.errors import UsageError
from profiler.model.profile import NO_BLOCK, RawCapture, RawFrame, Samples
from profiler.stacks.foreign import nanoseconds

_FRAME = re.compile(r"^(?P<name>.*) \((?P<place>[^()]*?)(?::(?P<line>\d+))?\)$")
_PROCESS = re.compile(r'^process (?P<pid>\d+):(?P<command>".*"|.*)$')
_THREAD = re.compile(r"^thread \((?:(?P<tid>\d+)|0[xX][0-9a-fA-F]+)\)(?:: (?P<name>.*))?$")
_ADDRESS = re.compile(r"^0[xX][0-9a-fA-F]+$")
# A command line can hold newlines and semicolons. With threads every process label is followed by another label.
_COMMAND = re.compile(r'(?:^|(?<=;))process (\d+):".*?";', re.DOTALL | re.MULTILINE)
_COMMAND_BEFORE_LABEL = re.compile(_COMMAND.pattern + r'(?=process \d+:"|thread \()', re.DOTALL | re.MULTILINE)


def parse_pyspy_raw(text: str) -> RawCapture:
    """A capture with one sample for each line; its weight is the line's count.

    Raises:
        UsageError: a line without a count.
    """
    frames: dict[RawFrame, int] = {}
    stacks: dict[tuple[int, ...], int] = {}
    rows: list[tuple[int, int, int, int]] = []
    threads: dict[tuple[int, int], str] = {}
    for number, line in enumerate(_without_commands(text).splitlines(), 1):
        if not line.strip():
            continue
        path, _, count = line.rpartition(" ")
        if not path or not (count.isascii() and count.isdigit()):
            raise UsageError(f"line {number} is no py-spy raw stack: {line[:80]!r}")
        pid, tid, name, labels = _labels(path)
        if name:
            threads[pid, tid] = name
        stack = tuple(frames.setdefault(parse_frame(label), len(frames)) for label in labels)
        rows.append((pid, tid, nanoseconds(float(count), f"line {number}"), stacks.setdefault(stack, len(stacks))))
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    samples = Samples(
        time_ns=np.zeros(len(rows), dtype=np.int64), pid=table[:, 0], tid=table[:, 1],
        block=np.full(len(rows), NO_BLOCK, dtype=np.int64), weight_ns=table[:, 2], stack=table[:, 3],
    )  # fmt: skip
    return RawCapture(frames=tuple(frames), stacks=tuple(stacks), samples=samples, threads=threads)


def _without_commands(text: str) -> str:
    commands = _COMMAND_BEFORE_LABEL if '";thread (' in text else _COMMAND
    return commands.sub(r"process \1:;", text)


def _labels(path: str) -> tuple[int, int, str, list[str]]:
    """(pid or 0, tid or 0, thread name or empty, frames): process and thread labels are no functions. Of nested
    processes the last one runs."""
    pid, tid, name = 0, 0, ""
    labels = path.split(";")
    while labels:
        process = _PROCESS.match(labels[0])
        if process is not None:
            pid = min(int(process["pid"][:10]), 2**31 - 1)
        else:
            thread = _THREAD.match(labels[0])
            if thread is None:
                break
            tid, name = int(thread["tid"] or 0), thread["name"] or ""
        labels = labels[1:]
    return pid, tid, name, labels


def parse_frame(label: str) -> RawFrame:
    """One frame: Python where its place is a Python source, else native."""
    found = _FRAME.match(label)
    if found is None:
        return RawFrame(kind="native", name=label)
    name, place, line = found["name"], found["place"], int((found["line"] or "0")[:9])
    if place.endswith((".py", ".pyx")) or place.startswith("<"):
        return RawFrame(kind="python", name=name, module=place, file=place, line=line)
    if _ADDRESS.match(name):
        # Without a symbol py-spy gives an address of that one process, which says nothing in another run.
        return RawFrame(kind="native", name="", module=place)
    if line:
        return RawFrame(kind="native", name=name, file=place, line=line)
    return RawFrame(kind="native", name=name, module=place)
