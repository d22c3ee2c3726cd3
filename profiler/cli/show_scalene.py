"""scalene's lines in `profiler show`: what it charged to which line, and whether that can be believed."""

from __future__ import annotations

import msgspec
from rich.console import Console
from rich.text import Text

from profiler.errors import UsageError
from profiler.model.scalene import ScaleneLine, ScaleneSummary
from profiler.runs import Run

ATTACHMENT = "scalene.json"
HEAD = f"  {'python':>7} {'native':>7} {'system':>7}"
MEMORY_HEAD = f" {'MB':>8} {'copy MB/s':>9}"


def read_scalene(opened: Run) -> ScaleneSummary | None:
    """What scalene left in the run; None where it did not take part.

    Raises:
        UsageError: the file is damaged.
    """
    path = opened.attachment(ATTACHMENT)
    if path is None:
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=ScaleneSummary)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"run {opened.path} is damaged: {ATTACHMENT}: {error}", hint="record it again") from error


def scalene_lines(console: Console, summary: ScaleneSummary, top: int) -> None:
    """The dearest lines, as shares of the program's CPU time."""
    console.print(
        Text("scalene, share of CPU by line", style="bold"),
        Text(f"  over {summary.elapsed_s:.1f} s, peak memory {summary.peak_mb:,.0f} MB", style="dim"),
        sep="",
        soft_wrap=True,
    )
    if summary.suspect:
        console.print(Text(f"  not to be trusted: {summary.suspect}", style="bold red"))
    console.print(Text(HEAD + (MEMORY_HEAD if summary.memory else "") + "   line", style="dim"), soft_wrap=True)
    for entry in summary.lines[:top]:
        console.print(_line(console, summary, entry), soft_wrap=True)
    if len(summary.lines) > top:
        console.print(Text(f"  ⋮ {len(summary.lines) - top} more lines (--top)", style="dim"))
    console.print()


def _line(console: Console, summary: ScaleneSummary, entry: ScaleneLine) -> Text:
    text = Text(f"  {entry.python:>7.1%} {entry.native:>7.1%} {entry.system:>7.1%}")
    if summary.memory:
        text.append(f" {entry.allocated_mb:>8,.1f} {entry.copied_mb_per_s:>9,.1f}")
    place = f"   {entry.file.rsplit('/', 1)[-1]}:{entry.line}  "
    text.append(place, style="cyan")
    room = console.width - len(text)
    source = entry.source.strip()
    text.append(source if len(source) <= room else source[: max(room - 1, 0)] + "…", style="dim")
    return text
