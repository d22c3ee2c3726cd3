"""What of a run to look at: the arguments that commands share."""

from __future__ import annotations

import argparse

from profiler.cli import arguments as values
from profiler.views.picture import Choice


def add_sampler_choice(parser: argparse.ArgumentParser, *, fold: bool) -> None:
    """Arguments that say what of a run to look at; shared by show, open and export."""
    parser.add_argument("--sampler", metavar="NAME", help="which sampler's stacks (default: the first in the run)")
    add_choice(parser, fold=fold)


def add_choice(parser: argparse.ArgumentParser, *, fold: bool) -> None:
    """Arguments that say what of one sampler's stacks to look at."""
    parser.add_argument(
        "--fold", action=argparse.BooleanOptionalAction, default=fold,
        help=f"fold runtime plumbing into its caller (default {'yes' if fold else 'no'})",
    )  # fmt: skip
    parser.add_argument("--thread", default="", metavar="NAME|TID", help="only threads of this name or number")
    parser.add_argument("--process", type=values.count, default=0, metavar="PID", help="only this process")


def read_choice(namespace: argparse.Namespace, *, by_line: bool = False) -> Choice:
    return Choice(fold=namespace.fold, thread=namespace.thread, process=namespace.process, by_line=by_line)
