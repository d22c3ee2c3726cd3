"""Live progress of a recording on standard error."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from profiler.load.base import Tick


class RecordProgress:
    """One line that says what is going on; without a terminal, one plain line per step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            transient=True,
            disable=not self._live,
        )
        self._task = self._bar.add_task("", total=None, figures="")

    def __enter__(self) -> RecordProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def phase(self, text: str) -> None:
        self._bar.reset(self._task, description=text, total=None, figures="")
        if not self._live:
            self._console.print(f"{text} …", style="dim")

    def advance(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)
        if not self._live and done:
            self._console.print(f"  {done} of {total} windows", style="dim")

    def tick(self, tick: Tick) -> None:
        figures = f"{tick.rps:,.0f} requests/s"
        if tick.p99_ms is not None:
            figures += f", p99 {tick.p99_ms:.2f} ms"
        if tick.errors:
            figures += f", {tick.errors} errors"
        self._bar.update(self._task, figures=figures)
