"""Where the CPU was, by language."""

from __future__ import annotations

import numpy as np

from profiler.model.frame import Language
from profiler.model.profile import NO_BLOCK, Profile


def language_shares(profile: Profile) -> dict[str, float]:
    """Share of the sampled CPU by the leaf frame's language, over samples inside blocks; adds to 1 (all 0 if none)."""
    measured = profile.samples.block != NO_BLOCK
    weights = np.bincount(
        profile.samples.stack[measured],
        weights=profile.samples.weight_ns[measured].astype(float),
        minlength=len(profile.stacks),
    )
    shares = {language.value: 0.0 for language in Language}
    total = float(weights.sum())
    for stack, weight in zip(profile.stacks, weights, strict=True):
        leaf = profile.frames[stack[-1]].language if stack else Language.UNKNOWN
        shares[leaf.value] += float(weight)
    return {name: (weight / total if total else 0.0) for name, weight in shares.items()}
