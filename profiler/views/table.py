"""Self and total time per function, in the picture's unit, with intervals."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from profiler.model.estimate import Estimate
from profiler.model.frame import Frame
from profiler.model.profile import Int64
from profiler.views.picture import Picture, sum_by


class FunctionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One function. Self times of all functions add to the picture's total; total times overlap."""

    frame: Frame
    self_time: Estimate
    total_time: Estimate
    self_share: float
    """Of the picture's weight, from 0 to 1."""
    total_share: float


def function_rows(picture: Picture, top: int, by: Literal["self", "total"] = "self") -> tuple[FunctionRow, ...]:
    """The `top` functions by self time (leaf of the stack) or total time (anywhere on it; recursion counts once)."""
    own, total = function_weights(picture)
    if not picture.total_ns:
        return ()
    order = np.lexsort((np.arange(len(own)), -total, -own) if by == "self" else (np.arange(len(own)), -own, -total))
    chosen = [int(index) for index in order[:top] if (own if by == "self" else total)[index] > 0]
    weights = _stack_group_weights(picture)
    return tuple(_row(picture, index, weights) for index in chosen)


def function_weights(picture: Picture) -> tuple[Int64, Int64]:
    """(self, total) nanoseconds of each of the picture's frames."""
    size = len(picture.frames)
    weights = picture.stack_weights()
    leaves = np.array([stack[-1] if stack else 0 for stack in picture.stacks], dtype=np.int64)
    filled = np.array([bool(stack) for stack in picture.stacks], dtype=bool)
    functions: list[int] = []
    holders: list[int] = []
    for number, stack in enumerate(picture.stacks):
        distinct = set(stack)
        functions.extend(distinct)
        holders.extend([number] * len(distinct))
    if not functions:
        empty = np.zeros(size, dtype=np.int64)
        return empty, empty
    total = sum_by(np.array(functions, dtype=np.int64), weights[np.array(holders, dtype=np.int64)], size)
    return sum_by(leaves[filled], weights[filled], size), total


def _row(picture: Picture, index: int, weights: Int64) -> FunctionRow:
    holds = [number for number, stack in enumerate(picture.stacks) if index in stack]
    ends = [number for number in holds if picture.stacks[number][-1] == index]
    total = picture.total_ns
    return FunctionRow(
        frame=picture.frames[index],
        self_time=picture.basis.estimate(weights[ends].sum(axis=0).tolist()),
        total_time=picture.basis.estimate(weights[holds].sum(axis=0).tolist()),
        self_share=float(weights[ends].sum()) / total,
        total_share=float(weights[holds].sum()) / total,
    )


def _stack_group_weights(picture: Picture) -> Int64:
    """Nanoseconds by (stack, group of blocks)."""
    groups = max(len(picture.basis.denominators), 1)
    keys = picture.samples.stack * groups + picture.basis.group_of(picture.samples.block)
    return sum_by(keys, picture.samples.weight_ns, len(picture.stacks) * groups).reshape(-1, groups)
