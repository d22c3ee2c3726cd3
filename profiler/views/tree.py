"""The call tree: stacks merged by their common beginnings, weights in nanoseconds."""

from __future__ import annotations

import dataclasses

from profiler.views.picture import Picture

ROOT = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CallTree:
    """Nodes as parallel tuples; node 0 is the root of all stacks. Parents come before their children."""

    frame: tuple[int, ...]
    """Index into the picture's frames; -1 for the root."""
    parent: tuple[int, ...]
    self_ns: tuple[int, ...]
    """Weight of the stacks that end here."""
    total_ns: tuple[int, ...]
    """Weight of the stacks that pass through or end here."""
    children: tuple[tuple[int, ...], ...]
    """Heaviest first."""
    depth: tuple[int, ...]
    """0 for the root."""
    ends: tuple[int, ...]
    """For each of the picture's stacks, the node where it ends."""

    def __len__(self) -> int:
        return len(self.frame)


def build_tree(picture: Picture) -> CallTree:
    """Merge the picture's stacks into one tree. The root's total is the picture's total."""
    frame, parent, self_ns, depth = [-1], [-1], [0], [0]
    children: list[dict[int, int]] = [{}]
    ends: list[int] = []
    for stack, weight in zip(picture.stacks, picture.stack_weights().tolist(), strict=True):
        node = ROOT
        for index in stack:
            child = children[node].get(index)
            if child is None:
                child = len(frame)
                children[node][index] = child
                frame.append(index)
                parent.append(node)
                self_ns.append(0)
                depth.append(depth[node] + 1)
                children.append({})
            node = child
        self_ns[node] += weight
        ends.append(node)
    total_ns = list(self_ns)
    for node in range(len(frame) - 1, 0, -1):
        total_ns[parent[node]] += total_ns[node]
    return CallTree(
        frame=tuple(frame),
        parent=tuple(parent),
        self_ns=tuple(self_ns),
        total_ns=tuple(total_ns),
        children=tuple(
            tuple(sorted(below.values(), key=lambda child: (-total_ns[child], child))) for below in children
        ),
        depth=tuple(depth),
        ends=tuple(ends),
    )
