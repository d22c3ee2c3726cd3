"""The pytest side: options, the fixture, which tests run, the summary, and the command of a fresh process.

Every run of pytest in an environment that has this project imports this module, whether it measures or not: what only
measuring needs is imported where it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from microbench.paired.options import MARKER, PairedOptions, add_options

if TYPE_CHECKING:
    from microbench.paired.comparison import Comparison
    from microbench.paired.fixture import Paired
    from microbench.paired.processes import Errand

FIXTURE = "paired"
_SESSION = pytest.StashKey["PairedSession"]()

# Options of other plugins that write files or spread the tests: a fresh process must do neither.
_SILENCED: dict[str, object] = {
    "xmlpath": None,
    "paired_json": None,
    "benchmark_json": None,
    "benchmark_save": None,
    "benchmark_autosave": None,
    "benchmark_compare": [],
    "benchmark_compare_fail": None,
    "benchmark_histogram": [],
    "numprocesses": None,
    "dist": "no",
}


class PairedSession:
    """What one run of pytest knows about its pairs."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.options = PairedOptions.from_config(config)
        self.measures = bool(config.getoption("paired"))
        self.comparisons: list[Comparison] = []
        child = config.getoption("paired_child")
        self.errand = _read_errand(Path(child)) if child else None

    def command(self, item: pytest.Item) -> list[str]:
        """Run this test alone, in a fresh interpreter, with the options this run was given."""
        from microbench.paired.processes import SCRATCH, python

        kept = _without_selection([str(entry) for entry in self.config.invocation_params.args], set(self.config.args))
        quiet = ["-o", f"cache_dir={SCRATCH}", "--rootdir", str(self.config.rootpath)]
        if self.config.pluginmanager.hasplugin("_cov"):
            quiet.append("--no-cov")
        test = f"{item.path}::{item.nodeid.partition('::')[2]}"
        return [*python(), "-m", "pytest", *kept, *quiet, test, "--paired-child"]


def _without_selection(arguments: list[str], positional: set[str]) -> list[str]:
    """The options given, without what chose the tests: a fresh process is told the one it is for."""
    kept = []
    entries = iter(arguments)
    for entry in entries:
        if entry in ("-k", "-m"):
            next(entries, None)
        elif entry not in positional:
            kept.append(entry)
    return kept


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**options): options of a paired measurement, as the --paired-... options of the command line",
    )
    if config.getoption("paired_child"):
        for name, value in _SILENCED.items():
            if hasattr(config.option, name):
                setattr(config.option, name, value)
    session = config.stash[_SESSION] = PairedSession(config)
    if session.measures and (getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput")):
        raise pytest.UsageError("--paired measures one thing at a time: run it without -n")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    session = config.stash[_SESSION]
    if session.errand is not None:
        kept = [item for item in items if item.nodeid == session.errand.nodeid]
    elif session.measures:
        kept = [item for item in items if FIXTURE in getattr(item, "fixturenames", ())]
    else:
        return
    dropped = [item for item in items if item not in kept]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.fixture
def paired(request: pytest.FixtureRequest) -> Iterator[Paired]:
    """Compare two pieces of code: `paired.compare(before, after, args=(...))`."""
    from microbench.paired.archive import add_to_pytest_benchmark
    from microbench.paired.fixture import Paired

    session = request.config.stash[_SESSION]
    item: pytest.Item = request.node

    def measuring() -> tuple[Sequence[str], PairedOptions]:
        return session.command(item), session.options.for_test(item)

    def keep(comparison: Comparison) -> None:
        session.comparisons.append(comparison)
        add_to_pytest_benchmark(request, comparison)

    yield Paired(
        item.nodeid,
        measuring=measuring if session.measures else None,
        errand=session.errand,
        folder=request.config.invocation_params.dir,
        watch=_progress(request.config),
        keep=keep,
    )


def _read_errand(path: Path) -> Errand:
    import msgspec

    from microbench.paired.processes import Errand

    return msgspec.json.decode(path.read_bytes(), type=Errand)


def _progress(config: pytest.Config) -> Callable[[Comparison], None]:
    """A line that is rewritten after every process, where the output is a terminal."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None or not reporter.isatty or config.getoption("verbose") < 0:
        return lambda comparison: None
    from microbench.paired.table import progress_line

    return lambda comparison: reporter.rewrite(progress_line(comparison), erase=True)


def pytest_report_header(config: pytest.Config) -> str | None:
    session = config.stash[_SESSION]
    if not session.measures or session.errand is not None:
        return None
    options = session.options
    return (
        f"paired: seed={options.seed} processes={options.processes}..{options.max_processes} "
        f"seconds={options.seconds} precision={options.precision:.2%} same={options.same:.2%} "
        f"cache={options.cache} gc={options.gc}"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    session = config.stash[_SESSION]
    if not session.comparisons:
        return
    from microbench.paired.archive import write_json
    from microbench.paired.table import render

    terminalreporter.ensure_newline()
    terminalreporter.section("paired: before and after in ns per call, net of the empty loop", sep="-")
    for line in render(session.comparisons, colour=terminalreporter.hasmarkup):
        terminalreporter.write_line(line)
    target = config.getoption("paired_json")
    if target is not None:
        write_json(target, session.comparisons, session.options)
        terminalreporter.write_line(f"paired: wrote {target}")
