"""What the suites share: which pairs a paired run measures, and an event loop that is open while a test runs."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator

import pytest

if importlib.util.find_spec("hotpaths_native") is None:
    raise pytest.UsageError("the Rust side of the hot paths is not built: `make setup` builds it")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("paired").addoption(
        "--every-input",
        action="store_true",
        help="With --paired: every input, mix and Rust side, not only one row per optimization.",
    )


def pytest_configure(config: pytest.Config) -> None:
    # pytest-benchmark tells about a missing or a foreign file by warning; that is news for the reader, no failure.
    if config.pluginmanager.hasplugin("pytest-benchmark"):
        config.addinivalue_line("filterwarnings", "default::pytest_benchmark.logger.PytestBenchmarkWarning")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop for the coroutines of one test."""
    opened = asyncio.new_event_loop()
    yield opened
    opened.close()
