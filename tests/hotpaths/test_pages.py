"""The pages on the hot paths: every example in them runs, and every optimization has one."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from hotpaths.catalogue import OPTIMIZATIONS

PAGES = Path(__file__).parents[2] / "docs" / "hotpaths"


@pytest.mark.parametrize("slug", [*(optimization.slug for optimization in OPTIMIZATIONS), "thread_states"])
def test_examples_run(slug: str) -> None:
    outcome = doctest.testfile(str(PAGES / f"{slug}.md"), module_relative=False, encoding="utf-8")
    assert outcome.failed == 0
    assert outcome.attempted > 0


def test_the_overview_names_every_switch_and_page() -> None:
    overview = (PAGES / "README.md").read_text()
    for optimization in OPTIMIZATIONS:
        row = f"| [{optimization.title.lower()}]({optimization.slug}.md) | `{optimization.switch}` |"
        assert row in overview
        assert all(f"`{word}`" in overview for word in optimization.words)
