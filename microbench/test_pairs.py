"""Every optimization as a pair: checked for equal results in any run, measured under `--paired`.

Under `--paired` the first input of each optimization is measured, one row per optimization; with `--every-input` all.
"""

from __future__ import annotations

import pytest

from hotpaths.catalogue import find
from microbench.cases import COSTS, MIXES, NATIVE_PAIRS, native, values
from microbench.paired.fixture import Paired


@pytest.mark.parametrize(("optimization", "case"), (*COSTS, *MIXES))
def test_pair(paired: Paired, optimization: str, case: str) -> None:
    found = find(optimization)
    inputs = [(value,) for value in values(optimization, case)]
    paired.compare(found.before, found.after, inputs=inputs, equal=found.equal)


@pytest.mark.parametrize(
    ("optimization", "case"), NATIVE_PAIRS, ids=[f"{'-'.join(case)}-in-Rust" for case in NATIVE_PAIRS]
)
def test_native_pair(paired: Paired, optimization: str, case: str) -> None:
    """Both sides in Rust, timed in Rust."""
    _, timers = native(optimization)
    value = values(optimization, case)[0]
    null = paired.timed(timers.timer("null", value)) if timers.null else None
    paired.compare(paired.timed(timers.timer("before", value)), paired.timed(timers.timer("after", value)), null=null)
