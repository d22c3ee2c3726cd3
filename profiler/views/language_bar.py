"""The split of the sampled time by language: whose code was running, judged by the leaf frame."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.model.estimate import Estimate
from profiler.model.frame import Language
from profiler.views.picture import LANGUAGES, Picture, sum_by


class LanguageShare(msgspec.Struct, frozen=True, kw_only=True):
    """Time in code of one language."""

    language: Language
    share: float
    """Of the picture's weight; the shares add to 1."""
    time: Estimate


def language_shares(picture: Picture) -> tuple[LanguageShare, ...]:
    """One entry for each language, in the fixed order; empty where there are no samples."""
    total = picture.total_ns
    if not total:
        return ()
    groups = max(len(picture.basis.denominators), 1)
    keys = picture.language * groups + picture.basis.group_of(picture.samples.block)
    weights = sum_by(keys, picture.samples.weight_ns, len(LANGUAGES) * groups).reshape(-1, groups)
    return tuple(
        LanguageShare(
            language=language,
            share=float(weights[number].sum()) / total,
            time=picture.basis.estimate(weights[number].tolist()),
        )
        for number, language in enumerate(LANGUAGES)
    )


def bar_cells(shares: Sequence[float], width: int) -> tuple[int, ...]:
    """Cells of a bar of this width for shares that add to 1: largest remainders, so that the cells add to the width."""
    exact = [share * width for share in shares]
    cells = [int(value) for value in exact]
    remainders = sorted(range(len(exact)), key=lambda number: cells[number] - exact[number])
    for number in remainders[: width - sum(cells)]:
        cells[number] += 1
    return tuple(cells)
