"""`profiler show`: where a request's CPU time goes, in the terminal."""

from __future__ import annotations

import argparse

import msgspec
from rich.console import Console

from profiler.cli import arguments as values
from profiler.cli.choice import add_sampler_choice, read_choice
from profiler.cli.console import print_json, result_console
from profiler.cli.show_figures import figures, quality, warnings
from profiler.cli.show_scalene import read_scalene, scalene_lines
from profiler.cli.show_tables import heaviest, language_bar, tables, threads
from profiler.runs import Run, open_run
from profiler.views.picture import Choice, Picture, make_picture
from profiler.views.summary import Summary, summarise

SHOW_SCHEMA = "profiler.show/1"
TOP = 12


class ShowOptions(msgspec.Struct, frozen=True, kw_only=True):
    reference: str | None = None
    sampler: str | None = None
    top: int = TOP
    choice: Choice = Choice(fold=True)
    as_json: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_reference", nargs="?", metavar="RUN", help="path, id or its beginning (default: the latest)"
    )
    add_sampler_choice(parser, fold=True)
    parser.add_argument(
        "--top", type=values.count, default=TOP, metavar="N", help=f"rows in each table (default {TOP})"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(namespace: argparse.Namespace) -> int:
    options = ShowOptions(
        reference=namespace.run_reference,
        sampler=namespace.sampler,
        top=namespace.top,
        choice=read_choice(namespace),
        as_json=namespace.json,
    )
    opened = open_run(options.reference)
    if options.as_json:
        summary = _summary(opened, options)
        metadata = opened.metadata
        scalene = read_scalene(opened)
        print_json(
            {
                "schema": SHOW_SCHEMA,
                "run": str(opened.path),
                "metadata": metadata,
                "summary": summary,
                "scalene": scalene,
            }
        )
    else:
        render_show(opened, result_console(), options)
    return 0


def render_show(opened: Run, console: Console, options: ShowOptions | None = None) -> None:
    """Print one run. Also the end of `profiler record`."""
    options = options or ShowOptions()
    summary = _summary(opened, options)
    figures(console, opened.metadata, summary)
    if summary is not None and summary.samples:
        language_bar(console, summary)
        tables(console, summary)
        heaviest(console, summary)
        threads(console, summary)
    scalene = read_scalene(opened)
    if scalene is not None:
        scalene_lines(console, scalene, options.top)
    quality(console, opened.metadata, summary)
    warnings(console, opened.metadata)


def default_capture(opened: Run) -> str | None:
    """The first sampler that took stacks; the first one where none did (scalene alone); None without a sampler."""
    captures = opened.metadata.captures
    return next((capture.sampler for capture in captures if capture.samples), next(iter(opened.samplers), None))


def open_picture(opened: Run, sampler: str | None, choice: Choice) -> Picture:
    """The picture of one sampler's stacks, the first sampler's that has some where none is named.

    Raises:
        UsageError: no stacks, no such sampler, or nothing left of them by this choice.
    """
    name = sampler or default_capture(opened)
    profile = opened.profile(name)
    assert name is not None, "a run without samplers has raised above"
    return make_picture(profile, opened.metadata, name, choice)


def _summary(opened: Run, options: ShowOptions) -> Summary | None:
    """None for a run without a sampler, unless one's stacks were asked for by name."""
    sampler = options.sampler or default_capture(opened)
    if sampler is None:
        return None
    return summarise(opened.profile(sampler), opened.metadata, sampler, choice=options.choice, top=options.top)
