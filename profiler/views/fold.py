"""Folds runtime plumbing (executors, trampolines, closure adapters) into its caller."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.model.frame import Frame


def fold_stack(stack: tuple[int, ...], frames: Sequence[Frame]) -> tuple[int, ...]:
    """The stack without its plumbing frames, so that their self time is their caller's.

    Plumbing with nothing but plumbing above it has no caller to fold into: of such a stack the leaf stays.
    """
    kept = tuple(index for index in stack if not frames[index].plumbing)
    return kept or stack[-1:]
