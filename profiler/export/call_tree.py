"""The call tree as nested JSON, for programs: nanoseconds, and what to divide them by."""

from __future__ import annotations

from typing import Any

import msgspec

from profiler.views.picture import Picture
from profiler.views.title import notes, title
from profiler.views.tree import ROOT, CallTree, build_tree

TREE_SCHEMA = "profiler.tree/1"


class JsonExporter:
    name = "json"
    suffix = ".tree.json"
    by_line = False

    def encode(self, picture: Picture) -> bytes:
        basis = picture.basis
        return msgspec.json.encode(
            {
                "schema": TREE_SCHEMA,
                "title": title(picture),
                "notes": notes(picture),
                "unit": basis.unit,
                "per_nanosecond": basis.value(1.0),
                "functions": [
                    {"name": frame.name, "module": frame.module, "language": frame.language, "file": frame.file}
                    for frame in picture.frames
                ],
                "tree": _nest(build_tree(picture)),
            }
        )


def _nest(tree: CallTree) -> dict[str, Any]:
    """Nodes as objects; built from the leaves up, so that a deep stack needs no deep recursion."""
    nodes: list[dict[str, Any]] = [
        {"function": frame, "self_ns": own, "total_ns": total}
        for frame, own, total in zip(tree.frame, tree.self_ns, tree.total_ns, strict=True)
    ]
    for node, children in enumerate(tree.children):
        if children:
            nodes[node]["children"] = [nodes[child] for child in children]
    return nodes[ROOT]
