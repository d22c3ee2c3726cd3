"""The heaviest path: from the root, always into the heaviest child, until the time no longer mostly goes deeper."""

from __future__ import annotations

import msgspec

from profiler.model.frame import Frame
from profiler.views.picture import Picture
from profiler.views.tree import ROOT, CallTree, build_tree

# A step into less than this share of everything no longer says where the time goes.
FLOOR = 0.03


class PathStep(msgspec.Struct, frozen=True, kw_only=True):
    """One frame on the heaviest path."""

    frame: Frame
    total_time: float
    """Time in this frame and below it on this path, in the picture's unit."""
    self_time: float
    """Time in this frame itself on this path, in the picture's unit."""
    share: float
    """Of the picture's weight."""


def heaviest_path(picture: Picture, tree: CallTree | None = None) -> tuple[PathStep, ...]:
    """Steps from the root of the heaviest stacks towards their leaf; empty where there are no samples."""
    tree = tree or build_tree(picture)
    whole = tree.total_ns[ROOT]
    steps: list[PathStep] = []
    node = ROOT
    while tree.children[node]:
        child = tree.children[node][0]
        if tree.total_ns[child] < FLOOR * whole or (node != ROOT and tree.self_ns[node] >= tree.total_ns[child]):
            break
        node = child
        steps.append(
            PathStep(
                frame=picture.frames[tree.frame[node]],
                total_time=picture.basis.value(tree.total_ns[node]),
                self_time=picture.basis.value(tree.self_ns[node]),
                share=tree.total_ns[node] / whole,
            )
        )
    return tuple(steps)
