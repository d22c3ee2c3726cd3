"""The tables of a run for the terminal: language bar, functions, heaviest path, threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.text import Text

from profiler.model.estimate import Estimate
from profiler.model.frame import Frame, Language
from profiler.views.basis import BY_REQUEST
from profiler.views.heaviest import PathStep
from profiler.views.language_bar import bar_cells
from profiler.views.shorten import shorten
from profiler.views.summary import Summary
from profiler.views.table import FunctionRow

COLOURS = {
    Language.PYTHON: "dodger_blue1",
    Language.CPYTHON: "sky_blue2",
    Language.RUST: "dark_orange",
    Language.C: "gold3",
    Language.KERNEL: "indian_red",
    Language.UNKNOWN: "grey58",
}
# Where there is no colour, the bar is drawn in letters.
LETTERS = {
    Language.PYTHON: "p",
    Language.CPYTHON: "i",
    Language.RUST: "r",
    Language.C: "c",
    Language.KERNEL: "k",
    Language.UNKNOWN: "?",
}
NAMES = {Language.CPYTHON: "interpreter"}
PATH_LINES = 24
THREAD_ROWS = 8


def language_bar(console: Console, summary: Summary) -> None:
    """Whose code was running, as one bar and one figure each."""
    width = min(console.width, 100) - 4
    cells = bar_cells([entry.share for entry in summary.languages], width)
    bar = Text("  ")
    coloured = console.color_system is not None
    for entry, count in zip(summary.languages, cells, strict=True):
        bar.append(("█" if coloured else LETTERS[entry.language]) * count, style=COLOURS[entry.language])
    console.print(bar, soft_wrap=True)
    for entry in summary.languages:
        if entry.share:
            mark = "■" if coloured else LETTERS[entry.language]
            name = NAMES.get(entry.language, entry.language.value)
            figure = (
                f"{entry.share:>6.1%} {_figure(entry.time.value, summary):>9} {_plus_minus(entry.time, summary):<8}"
            )
            console.print(
                Text(f"  {mark} {name:<12}", style=COLOURS[entry.language]),
                Text(figure),
                Text(f" {summary.unit}", style="dim"),
                sep="",
                soft_wrap=True,
            )
    console.print()


def tables(console: Console, summary: Summary) -> None:
    """Functions by self time, then by total time."""
    _heading(console, f"self time, {summary.unit}", "where the time is spent")
    _function_table(console, summary, summary.by_self, "self")
    _heading(console, f"total time, {summary.unit}", "in the function and all it calls")
    _function_table(console, summary, summary.by_total, "total")


def heaviest(console: Console, summary: Summary) -> None:
    """The heaviest path, shortened to the steps where something changes."""
    if not summary.heaviest:
        return
    console.print(Text(f"heaviest path, {summary.unit}", style="bold"))
    for step, skipped in _turns(summary.heaviest):
        if skipped:
            console.print(
                Text(f"  {'':>17}  ⋮ {skipped} frame{'s' if skipped > 1 else ''}", style="dim"), soft_wrap=True
            )
        figure = f"  {_figure(step.total_time, summary):>9} {step.share:>6.1%}   "
        console.print(Text(figure), _function(step.frame, console.width - len(figure)), sep="", soft_wrap=True)
    console.print()


def threads(console: Console, summary: Summary) -> None:
    """Time by thread, where there are several; threads of one name in one process together."""
    names: dict[tuple[str, int], tuple[int, float, float]] = {}
    for row in summary.threads:
        count, time, share = names.get((row.name, row.pid), (0, 0.0, 0.0))
        names[row.name, row.pid] = (count + 1, time + row.time, share + row.share)
    if len(summary.threads) < 2:
        return
    console.print(Text(f"threads, {summary.unit}", style="bold"))
    ordered = sorted(names.items(), key=lambda item: -item[1][1])
    for (name, pid), (count, time, share) in ordered[:THREAD_ROWS]:
        several = f" ({count} threads)" if count > 1 else ""
        text = f"  {_figure(time, summary):>9} {share:>6.1%}   {name or 'thread'}{several}, process {pid}"
        console.print(Text(text), soft_wrap=True)
    if len(ordered) > THREAD_ROWS:
        console.print(Text(f"  {'':>17}  ⋮ {len(ordered) - THREAD_ROWS} more", style="dim"), soft_wrap=True)
    console.print()


def _heading(console: Console, text: str, explanation: str) -> None:
    console.print(Text(text, style="bold"), Text(f"  {explanation}", style="dim"), sep="")


def _function_table(
    console: Console, summary: Summary, rows: Sequence[FunctionRow], by: Literal["self", "total"]
) -> None:
    for row in rows:
        first, second = (row.self_time, row.total_time) if by == "self" else (row.total_time, row.self_time)
        share = row.self_share if by == "self" else row.total_share
        other = "total" if by == "self" else "self"
        figure = f"  {_figure(first.value, summary):>9} {_plus_minus(first, summary):<8} {share:>6.1%}   "
        tail = f"  {other} {_figure(second.value, summary):>8}"
        room = max(console.width - len(figure) - len(tail), 16)
        name = _function(row.frame, room)
        name.pad_right(room - len(name))
        console.print(Text(figure), name, Text(tail, style="dim"), sep="", soft_wrap=True)
    console.print()


def _function(frame: Frame, width: int) -> Text:
    """Function in its language's colour, then the module where there is room."""
    text = Text(shorten(frame.name, width), style=COLOURS[frame.language])
    module = short_module(frame)
    if module and not frame.name.startswith(frame.module) and len(text) + 2 + len(module) <= width:
        text.append(f"  {module}", style="dim")
    return text


def short_module(frame: Frame) -> str:
    """A source file by its last two parts; a library without what every library's name ends with."""
    if frame.language is Language.PYTHON:
        return "/".join(frame.module.split("/")[-2:])
    return frame.module.rsplit("/", 1)[-1].split(".so")[0].removesuffix(".abi3")


def _turns(path: Sequence[PathStep]) -> list[tuple[PathStep, int]]:
    """(step, steps left out before it): where time leaves the path, where the language changes, and both ends."""
    kept: list[tuple[PathStep, int]] = []
    skipped = 0
    for number, step in enumerate(path):
        last = number == len(path) - 1
        before, after = path[max(number - 1, 0)], path[min(number + 1, len(path) - 1)]
        turn = before.frame.language is not step.frame.language or step.share - after.share > 0.01
        if number == 0 or last or (turn and len(kept) < PATH_LINES - 1):
            kept.append((step, skipped))
            skipped = 0
        else:
            skipped += 1
    return kept


def _figure(value: float, summary: Summary) -> str:
    return f"{value:,.2f}" if summary.unit in BY_REQUEST else f"{value:,.4f}"


def _plus_minus(estimate: Estimate, summary: Summary) -> str:
    """Half the interval; empty where there is none."""
    return f"±{_figure(estimate.half_width, summary)}" if estimate.low is not None else ""
