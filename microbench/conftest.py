"""What the suites share: which pairs a paired run measures, and an event loop that is open while a test runs."""

from __future__ import annotations

import asyncio
import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.logger import PytestBenchmarkWarning

if importlib.util.find_spec("hotpaths_native") is None:
    raise pytest.UsageError("the Rust side of the hot paths is not built: `make setup` builds it")

from microbench.cases import ROWS

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("paired").addoption(
        "--every-input",
        action="store_true",
        help="With --paired: every input, mix and Rust side, not only one row per optimization.",
    )


def pytest_configure(config: pytest.Config) -> None:
    # pytest-benchmark tells of a missing or a foreign file by warning, also while it is being configured: that is news
    # for the reader and no failure, although this project turns warnings into errors.
    warnings.filterwarnings("default", category=PytestBenchmarkWarning)
    config.addinivalue_line("filterwarnings", "default::pytest_benchmark.logger.PytestBenchmarkWarning")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One row per optimization where pairs are measured, unless every input is asked for."""
    if not config.getoption("paired") or config.getoption("every_input"):
        return
    rows = {f"test_pair[{'-'.join(row)}]" for row in ROWS}
    dropped = [item for item in items if item.path.parent == HERE and item.name not in rows]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop for the coroutines of one test."""
    opened = asyncio.new_event_loop()
    yield opened
    opened.close()
