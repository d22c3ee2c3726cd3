"""Every optimization as a pair: checked for equal results in any run, measured under `--paired`."""

from __future__ import annotations

import pytest

from hotpaths.catalogue import find
from microbench.cases import COSTS, MIXES, NATIVE_PAIRS, ROWS, native, values
from microbench.paired.fixture import Paired


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One row per optimization where pairs are measured, unless every input is asked for; all of them where checked."""
    few = metafunc.config.getoption("paired") and not metafunc.config.getoption("every_input")
    cases = {
        "test_pair": ROWS if few else (*COSTS, *MIXES),
        "test_native_pair": () if few else NATIVE_PAIRS,
    }[metafunc.function.__name__]
    metafunc.parametrize(("optimization", "case"), cases)


def test_pair(paired: Paired, optimization: str, case: str) -> None:
    found = find(optimization)
    inputs = [(value,) for value in values(optimization, case)]
    paired.compare(found.before, found.after, inputs=inputs, equal=found.equal)


def test_native_pair(paired: Paired, optimization: str, case: str) -> None:
    """Both sides in Rust, timed in Rust."""
    _, timers = native(optimization)
    value = values(optimization, case)[0]
    null = paired.timed(timers.timer("null", value)) if timers.null else None
    paired.compare(paired.timed(timers.timer("before", value)), paired.timed(timers.timer("after", value)), null=null)
