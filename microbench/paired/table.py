"""The comparisons as a table for the terminal: two lines per pair, hot caches and cold."""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from microbench.paired.bodies import Null
from microbench.paired.comparison import Comparison
from profiler.model.estimate import Estimate
from profiler.model.verdict import Verdict
from profiler.stats.paired import PairedEstimate

LEAST_WIDTH = 132  # narrower, the intervals would be broken over lines; a log file has no width of its own
_STYLES = {Verdict.DIFFERENT: "green", Verdict.SAME: "cyan", Verdict.NOT_ENOUGH_DATA: "yellow"}
_NULLS = {
    Null.LOOP: "an empty loop",
    Null.CALL: "a call of an empty function",
    Null.NATIVE: "the native timer's empty loop",
    Null.NONE: "nothing (gross)",
}


def render(comparisons: Sequence[Comparison], *, colour: bool = False, width: int | None = None) -> list[str]:
    """The table and its notes, line by line."""
    columns = width or max(LEAST_WIDTH, shutil.get_terminal_size().columns)
    page = io.StringIO()
    console = Console(
        file=page, width=columns, force_terminal=colour, color_system="standard" if colour else None, highlight=False
    )
    notes: list[str] = []
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, side in (
        ("pair", "left"), ("caches", "left"), ("before", "right"), ("after", "right"), ("saved [95 %]", "right"),
        ("before ÷ after [95 %]", "right"), ("A/A", "right"), ("n", "right"), ("verdict", "left"),
    ):  # fmt: skip
        table.add_column(heading, justify=side, no_wrap=heading != "pair", overflow="fold")  # type: ignore[arg-type]
    for comparison in comparisons:
        for caches, estimate in (("hot", comparison.hot), ("cold", comparison.cold)):
            if estimate is not None:
                name = short_name(comparison.name) if caches == "hot" else ""
                table.add_row(name, caches, *_cells(estimate), _verdict(estimate, notes))
    console.print(table)
    for line in (*_footnotes(notes), *_method(comparisons)):
        console.print(line, markup=False)
    return page.getvalue().rstrip("\n").split("\n")


def progress_line(comparison: Comparison) -> str:
    """One line while a pair is being measured."""
    saved = comparison.hot.saved
    return f"{short_name(comparison.name)}: {saved.n} processes, saves {interval(saved)} ns"


def short_name(nodeid: str) -> str:
    """`folder/test_paired.py::test_pair[logging]` → `logging`; without parameters the test's name."""
    test = nodeid.rpartition("::")[2] if "[" not in nodeid else nodeid.partition("[")[0].rpartition("::")[2]
    parameters = nodeid.partition("[")[2].removesuffix("]")
    return parameters or test


def nanoseconds(value: float, error: float) -> str:
    """A number with as many digits as its error leaves meaningful, at most three decimals."""
    if not math.isfinite(error) or error <= 0:
        return f"{value:.4g}"
    decimals = min(3, max(0, 1 - math.floor(math.log10(error))))
    return f"{value:,.{decimals}f}"


def interval(estimate: Estimate) -> str:
    value = nanoseconds(estimate.value, estimate.half_width)
    if estimate.low is None or estimate.high is None:
        return value
    low, high = (nanoseconds(end, estimate.half_width) for end in (estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def _cells(estimate: PairedEstimate) -> tuple[str, ...]:
    return (
        nanoseconds(estimate.before.value, estimate.before.half_width),
        nanoseconds(estimate.after.value, estimate.after.half_width),
        interval(estimate.saved),
        f"{interval(estimate.ratio)}" if estimate.ratio else "–",
        f"{estimate.twin.value:+.2g} ±{estimate.twin.half_width:.2g}",
        str(estimate.saved.n),
    )


def _verdict(estimate: PairedEstimate, notes: list[str]) -> Text:
    words = str(estimate.verdict)
    if estimate.verdict is Verdict.DIFFERENT:
        words += f": {_times(estimate)}"
    elif estimate.verdict is Verdict.NOT_ENOUGH_DATA and estimate.more_processes:
        words += f": {estimate.more_processes} more processes"
    marks = []
    for warning in estimate.warnings:
        if warning not in notes:
            notes.append(warning)
        marks.append(str(notes.index(warning) + 1))
    style = "red" if estimate.verdict is Verdict.DIFFERENT and estimate.saved.value < 0 else _STYLES[estimate.verdict]
    return Text(words, style=style).append(f" ({', '.join(marks)})" if marks else "", style="default")


def _times(estimate: PairedEstimate) -> str:
    slower = estimate.saved.value < 0
    if estimate.ratio is None:
        return "slower" if slower else "faster"
    factor = 1 / estimate.ratio.value if slower else estimate.ratio.value
    return f"{factor:.{2 if factor < 10 else 1}f}× {'slower' if slower else 'faster'}"


def _footnotes(notes: Sequence[str]) -> list[str]:
    return [f"({index}) {note}" for index, note in enumerate(notes, 1)]


def _method(comparisons: Sequence[Comparison]) -> list[str]:
    nulls = sorted({_NULLS[comparison.null] for comparison in comparisons})
    lines = [
        f"median of within-round differences in each process, mean and Student t over n processes; subtracted: "
        f"{', '.join(nulls)}; seed {comparisons[0].seed}"
    ]
    for comparison in comparisons:
        for arm, found in comparison.garbage.items():
            if arm != "null":
                lines.append(
                    f"{short_name(comparison.name)}: the collector ran {found.collections} times in {arm} and would "
                    f"add {found.pause_ns_per_call:.3g} ns per call; rounds with a collection are left out"
                )
    return lines
