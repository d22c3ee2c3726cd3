"""The comparisons as a table for the terminal: two lines per pair, hot caches and cold."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from microbench.paired.bodies import Null
from microbench.paired.comparison import Comparison
from profiler.model.estimate import Estimate
from profiler.model.verdict import Verdict
from profiler.stats.paired import PairedEstimate

_UNBOUND = 1000
_WORDS = ("pair", "caches", "verdict")
_STYLES = {Verdict.DIFFERENT: "green", Verdict.SAME: "cyan", Verdict.NOT_ENOUGH_DATA: "yellow"}
_NULLS = {
    Null.LOOP: "an empty loop",
    Null.CALL: "a call of an empty function",
    Null.NATIVE: "the native timer's empty loop",
    Null.NONE: "nothing (gross)",
}


def render(comparisons: Sequence[Comparison], *, colour: bool = False) -> list[str]:
    """The table and its notes, line by line, as wide as they need: intervals are never broken over lines."""
    notes: list[str] = []
    names = short_names([comparison.name for comparison in comparisons])
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("pair", "caches", "before", "after", "saved", "before ÷ after", "A/A twin", "n", "verdict"):
        table.add_column(heading, justify="left" if heading in _WORDS else "right", no_wrap=True)
    for comparison in comparisons:
        for caches, estimate in (("hot", comparison.hot), ("cold", comparison.cold)):
            if estimate is not None:
                name = names[comparison.name] if caches == "hot" else ""
                table.add_row(name, caches, *_cells(estimate), _verdict(estimate, notes))
    page = io.StringIO()
    console = Console(
        file=page, width=_UNBOUND, force_terminal=colour, color_system="standard" if colour else None, highlight=False
    )
    console.print(table)
    for line in (*_footnotes(notes), *_method(comparisons)):
        console.print(line, markup=False)
    return [line.rstrip() for line in page.getvalue().rstrip("\n").split("\n")]


def progress_line(comparison: Comparison) -> str:
    """One line while a pair is being measured."""
    saved = comparison.hot.saved
    return f"{short_name(comparison.name)}: {saved.n} processes, saves {interval(saved)} ns"


def short_name(nodeid: str) -> str:
    """`folder/test_paired.py::test_pair[logging]` → `logging`; without parameters the test's name."""
    test = nodeid.rpartition("::")[2] if "[" not in nodeid else nodeid.partition("[")[0].rpartition("::")[2]
    parameters = nodeid.partition("[")[2].removesuffix("]")
    return parameters or test


def short_names(nodeids: Sequence[str]) -> dict[str, str]:
    """Short names where they tell the pairs apart, and whole ones where they don't."""
    counts = Counter(short_name(nodeid) for nodeid in nodeids)
    return {nodeid: name if counts[name := short_name(nodeid)] == 1 else nodeid for nodeid in nodeids}


def nanoseconds(value: float, error: float) -> str:
    """A number with as many digits as its error leaves meaningful, at most three decimals."""
    if not math.isfinite(error) or error <= 0:
        return f"{value:.4g}"
    decimals = min(3, max(0, 1 - math.floor(math.log10(error))))
    return f"{round(value, decimals) + 0.0:,.{decimals}f}"  # + 0.0: no minus before a zero


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
        interval(estimate.ratio) if estimate.ratio else "–",
        " ±".join(
            nanoseconds(part, estimate.twin.half_width) for part in (estimate.twin.value, estimate.twin.half_width)
        ),
        str(estimate.saved.n),
    )


def _verdict(estimate: PairedEstimate, notes: list[str]) -> Text:
    words, style = str(estimate.verdict), _STYLES[estimate.verdict]
    if estimate.verdict is Verdict.DIFFERENT:
        slower = estimate.saved.value < 0
        words, style = (f"{words}, slower", "red") if slower else (f"{words}, faster", style)
    elif estimate.verdict is Verdict.NOT_ENOUGH_DATA and estimate.more_processes:
        words += f", {estimate.more_processes} more"
    marks = ""
    for warning in estimate.warnings:
        if warning not in notes:
            notes.append(warning)
        marks += f" ({notes.index(warning) + 1})"
    return Text(words, style=style).append(marks, style="default")


def _footnotes(notes: Sequence[str]) -> list[str]:
    return [f"({index}) {note}" for index, note in enumerate(notes, 1)]


def _method(comparisons: Sequence[Comparison]) -> list[str]:
    nulls = sorted({_NULLS[comparison.null] for comparison in comparisons})
    lines = [
        "[low, high] 95 %: Student t over n fresh processes, each the median of differences within its rounds",
        f"subtracted: {', '.join(nulls)} · cold: a single call after an 8 MiB copy · seed {comparisons[0].seed}",
    ]
    for comparison in comparisons:
        for arm, found in comparison.garbage.items():
            if arm != "null":
                lines.append(
                    f"{short_name(comparison.name)}: the collector ran {found.collections} times in {arm} and would "
                    f"add {found.pause_ns_per_call:.3g} ns per call; rounds with a collection are left out"
                )
    return lines
