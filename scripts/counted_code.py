#!/usr/bin/env python
"""What one call of a side of an optimization executes, counted and not timed; and its code, as it can be read.

    .venv/bin/python scripts/counted_code.py response_handlers dict

Counts do not depend on what else the machine does. Machine instructions are those of the difference between two
processes under valgrind that call the side less and more often; the cost of the loop around it is in them.
"""

from __future__ import annotations

import asyncio
import dis
import inspect
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from hotpaths.catalogue import find

FEW, MORE = 200, 1_200
COUNTED = 20
"""Calls over which bytecode and function calls are averaged."""
PYTHON_CALLS, C_CALLS, BYTECODE = "calls of Python functions", "calls of C functions", "bytecode instructions"


def call_often(slug: str, side: str, given: str, times: int) -> None:
    """The side's call, in Rust where the side is Rust's."""
    optimization = find(slug)
    value = next(each for each in optimization.inputs if each.name == given).make()
    if optimization.native is not None and side in optimization.native.sides:
        optimization.native.time(side, value, times)
        return
    call = getattr(optimization, side)
    if inspect.iscoroutinefunction(call):

        async def run() -> None:
            for _ in range(times):
                await call(value)

        asyncio.run(run())
        return
    for _ in range(times):
        call(value)


def machine_instructions(slug: str, side: str, given: str) -> int:
    """Per call, in user space."""
    totals = []
    for times in (FEW, MORE):
        argv = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", sys.executable]
        argv += [__file__, slug, given, "--run", side, str(times)]
        ended = subprocess.run(
            argv, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=True
        )
        found = re.search(r"I\s+refs:\s+([\d,]+)", ended.stderr)
        assert found is not None, ended.stderr
        totals.append(int(found[1].replace(",", "")))
    return round((totals[1] - totals[0]) / (MORE - FEW))


def calls_by_kind(slug: str, side: str, given: str) -> dict[str, int]:
    """Per call: what the interpreter executes. Nothing for a side that Rust calls by itself."""
    optimization = find(slug)
    if optimization.native is not None and side in optimization.native.sides:
        return {BYTECODE: 0, PYTHON_CALLS: 0, C_CALLS: 0}
    with_more = _executed(slug, side, given, 2 * COUNTED)
    with_less = _executed(slug, side, given, COUNTED)
    return {kind: round((with_more[kind] - with_less[kind]) / COUNTED) for kind in with_more}


def _executed(slug: str, side: str, given: str, times: int) -> dict[str, int]:
    call_often(slug, side, given, 10)
    counts = {BYTECODE: 0, PYTHON_CALLS: 0, C_CALLS: 0}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        counts[BYTECODE] += event == "opcode"
        return trace

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        counts[PYTHON_CALLS] += event == "call"
        counts[C_CALLS] += event == "c_call"

    sys.settrace(trace)
    try:
        call_often(slug, side, given, times)
    finally:
        sys.settrace(None)
    sys.setprofile(profile)
    try:
        call_often(slug, side, given, times)
    finally:
        sys.setprofile(None)
    return counts


def executed_bytecode(slug: str, side: str, given: str, function: str) -> list[str]:
    """Instructions of one Python function in the order in which one call of the side executes them."""
    optimization = find(slug)
    value = next(each for each in optimization.inputs if each.name == given).make()
    call = getattr(optimization, side)
    lines: list[str] = []

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_qualname != function:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "call":
            lines.clear()
        elif event == "opcode":
            lines.append(_instructions(frame.f_code)[frame.f_lasti])
        return trace

    sys.settrace(trace)
    try:
        # In the first call the interpreter only learns that this code is traced by instruction.
        for _ in range(2):
            if inspect.iscoroutinefunction(call):
                asyncio.run(call(value))
            else:
                call(value)
    finally:
        sys.settrace(None)
    return lines


@cache
def _instructions(code: CodeType) -> dict[int, str]:
    return {each.offset: f"{each.opname:<24} {each.argrepr}".rstrip() for each in dis.get_instructions(code)}


@cache
def _symbols(library: Path) -> dict[int, str]:
    """Address in the offset table -> what a call through it reaches."""
    names = subprocess.run(["nm", "-C", str(library)], capture_output=True, text=True, check=True).stdout
    at = {int(a, 16): n for a, n in re.findall(r"^([0-9a-f]+) \w (.+)$", names, re.M)}
    relocations = subprocess.run(["readelf", "-rW", str(library)], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in relocations.splitlines():
        parts = line.split()
        if len(parts) >= 4 and parts[2] == "R_X86_64_RELATIVE":
            found[int(parts[0], 16)] = at.get(int(parts[3], 16), "")
        elif len(parts) >= 5 and parts[2] in ("R_X86_64_GLOB_DAT", "R_X86_64_JUMP_SLOT"):
            found[int(parts[0], 16)] = parts[4].partition("@")[0]
    return found


def native_code(folder: Path, name: str) -> tuple[str, ...]:
    """Instructions of one function of the extension in a folder, calls named, jumps by their distance."""
    library = next(folder.glob("*.so"))
    argv = ["objdump", "-d", "--demangle", "--no-show-raw-insn", str(library)]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    body = re.search(rf"^[0-9a-f]+ <{re.escape(name)}>:\n(.*?)\n\n", text, re.M | re.S)
    assert body is not None, f"no function {name} in {library.name}"
    lines = []
    for line in body[1].splitlines():
        instruction = " ".join(line.partition(":\t")[2].split())
        through = re.search(r"# ([0-9a-f]+) <", instruction)
        target = _symbols(library).get(int(through[1], 16), "") if through else ""
        if target and instruction.startswith(("call", "mov")):
            instruction = re.sub(r"\*?-?0x[0-9a-f]+\(%rip\)", target, instruction)
        instruction = re.sub(r" #.*", "", instruction)
        instruction = re.sub(r"^(j\w+|call) [0-9a-f]+ <(.*)>$", r"\1 \2", instruction)
        lines.append(instruction.replace(name + "+", "+").replace("@plt", ""))
    while lines and lines[-1] in ("int3", "nop", "ud2"):
        lines.pop()
    return tuple(lines)


def main() -> int:
    slug, given, *rest = sys.argv[1:]
    if rest:
        call_often(slug, rest[1], given, int(rest[2]))
        return 0
    for side in ("before", "after"):
        counts = Counter(calls_by_kind(slug, side, given))
        counts["machine instructions"] = machine_instructions(slug, side, given)
        print(side, ", ".join(f"{number:,} {kind}" for kind, number in counts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
