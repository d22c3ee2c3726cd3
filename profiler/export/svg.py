"""A flamegraph as one self-contained SVG: opens in any browser, zooms by a click, searches, needs no network.

Widths are shares of the picture's weight; colours are languages; tooltips give time in the picture's unit. Which
sampler made it, and what distorts it, is written in the graph.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from html import escape

from profiler.export.svg_page import SCRIPT, STYLE
from profiler.model.frame import Frame, Language
from profiler.views.language_bar import language_shares
from profiler.views.picture import LANGUAGES, Picture
from profiler.views.title import clock_unit, notes, title, where
from profiler.views.tree import ROOT, CallTree, build_tree

WIDTH = 1200
MARGIN = 10
ROW = 17
TITLE_ROW = 20
CHARACTER = 6.6
"""Width of a character of the 11 px monospace font."""
MIN_WIDTH = 0.3
"""Frames narrower than this many pixels are not drawn."""
MAX_FRAMES = 15_000

# Hue and saturation by language; lightness varies with the name, so that neighbours can be told apart.
COLOURS: dict[Language, tuple[int, int, int]] = {
    Language.PYTHON: (211, 62, 66),
    Language.CPYTHON: (190, 40, 72),
    Language.RUST: (24, 78, 66),
    Language.C: (47, 75, 65),
    Language.KERNEL: (352, 58, 68),
    Language.UNKNOWN: (0, 0, 74),
}
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class SvgExporter:
    name = "svg"
    suffix = ".svg"
    by_line = False

    def encode(self, picture: Picture) -> bytes:
        tree = build_tree(picture)
        drawn = _drawn(tree)
        lines = [*notes(picture), *_pruned(tree, drawn)]
        top = MARGIN + TITLE_ROW + ROW * (len(lines) + 2)
        rows = max((tree.depth[node] for node in drawn), default=0) + 1
        height = top + ROW * rows + ROW * 2
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{_text(title(picture))}</title><style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{height}"/>',
            f'<text class="title" x="{MARGIN}" y="{MARGIN + 14}">{_text(title(picture))}</text>',
            *_notes(lines),
            *_legend(picture, MARGIN + TITLE_ROW + ROW * (len(lines) + 1)),
            f'<g id="frames" data-width="{WIDTH - 2 * MARGIN}" data-left="{MARGIN}" data-char="{CHARACTER}">',
            *_frames(picture, tree, drawn, top + ROW * (rows - 1)),
            "</g>",
            f'<text id="detail" x="{MARGIN}" y="{height - 10}"></text>',
            f'<text id="search" class="button" x="{WIDTH - MARGIN}" y="{MARGIN + 14}">search</text>',
            f'<text id="reset" class="button" x="{WIDTH - MARGIN - 60}" y="{MARGIN + 14}">reset</text>',
            f"<script><![CDATA[{SCRIPT}]]></script></svg>\n",
        ]
        return "\n".join(parts).encode()


def _drawn(tree: CallTree) -> list[int]:
    """Nodes wide enough to see, and not more than a browser draws quickly; parents always come with their children."""
    whole = tree.total_ns[ROOT]
    least = max(MIN_WIDTH / (WIDTH - 2 * MARGIN) * whole, 1)
    nodes = [node for node in range(len(tree)) if tree.total_ns[node] >= least]
    if len(nodes) > MAX_FRAMES:
        nodes = sorted(sorted(nodes, key=lambda node: (-tree.total_ns[node], node))[:MAX_FRAMES])
    return nodes


def _pruned(tree: CallTree, drawn: Sequence[int]) -> list[str]:
    hidden = len(tree) - len(drawn)
    if not hidden or not drawn:
        return []
    least = min(tree.total_ns[node] for node in drawn) / tree.total_ns[ROOT]
    return [
        f"{hidden:,} of {len(tree) - 1:,} frames, each narrower than {max(least, 1e-5):.3%} of the whole, are not drawn"
    ]


def _notes(lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        y = MARGIN + TITLE_ROW + ROW * number + 12
        yield f'<text class="note" x="{MARGIN}" y="{y}">{_text(line)}</text>'


def _legend(picture: Picture, y: int) -> Iterator[str]:
    shares = {entry.language: entry.share for entry in language_shares(picture)}
    x = float(MARGIN)
    for language in LANGUAGES:
        label = f"{language.value} {shares.get(language, 0.0):.1%}"
        yield f'<rect x="{x:.0f}" y="{y - 10}" width="11" height="11" rx="2" fill="{_colour(language, "")}"/>'
        yield f'<text class="note" x="{x + 16:.0f}" y="{y}">{label}</text>'
        x += 16 + CHARACTER * (len(label) + 3)


def _frames(picture: Picture, tree: CallTree, drawn: Sequence[int], bottom: int) -> Iterator[str]:
    whole = tree.total_ns[ROOT]
    if not whole:
        yield f'<text class="note" x="{MARGIN}" y="{bottom + 12}">no samples in measured blocks</text>'
        return
    visible = set(drawn)
    start = {ROOT: 0}
    scale = (WIDTH - 2 * MARGIN) / whole
    for node in drawn:
        offset = start[node]
        for child in tree.children[node]:
            if child in visible:
                start[child] = offset
            offset += tree.total_ns[child]
        x, width = MARGIN + start[node] * scale, tree.total_ns[node] * scale
        yield _box(picture, tree, node, x, width, bottom - ROW * tree.depth[node])


def _box(picture: Picture, tree: CallTree, node: int, x: float, width: float, y: int) -> str:
    frame = picture.frames[tree.frame[node]] if node != ROOT else None
    name = frame.name if frame is not None else "all"
    room = int((width - 6) / CHARACTER)
    label = name if len(name) <= room else f"{name[: room - 1]}…" if room >= 3 else ""
    colour = _colour(frame.language, frame.name) if frame is not None else "hsl(0 0% 86%)"
    return (
        f"<g data-n={_attribute(name)}><title>{_text(_tooltip(picture, tree, node, frame))}</title>"
        f'<rect x="{x:.2f}" y="{y}" width="{max(width - 0.4, 0.2):.2f}" height="{ROW - 1}" fill="{colour}"/>'
        f'<text x="{x + 3:.2f}" y="{y + 12}">{_text(label)}</text></g>'
    )


def _tooltip(picture: Picture, tree: CallTree, node: int, frame: Frame | None) -> str:
    basis, unit = picture.basis, clock_unit(picture)
    total, own = basis.value(tree.total_ns[node]), basis.value(tree.self_ns[node])
    share = tree.total_ns[node] / tree.total_ns[ROOT]
    name = where(frame) if frame is not None else "all"
    return f"{name}\n{total:,.4g} {unit} ({share:.2%}), self {own:,.4g} {unit}"


def _colour(language: Language, name: str) -> str:
    hue, saturation, light = COLOURS[language]
    shade = zlib.crc32(name.encode("utf-8", "replace")) % 13 - 6 if name else 0
    return f"hsl({hue} {saturation}% {light + shade}%)"


def _text(text: str) -> str:
    return escape(_ILLEGAL.sub("�", text), quote=False)


def _attribute(text: str) -> str:
    return f'"{escape(_ILLEGAL.sub("�", text))}"'
