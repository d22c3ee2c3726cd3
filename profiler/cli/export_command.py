"""`profiler export`: a run in another tool's format, to standard output or a file."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from profiler.cli.choice import add_sampler_choice, read_choice
from profiler.cli.output_file import check_output, write_output
from profiler.cli.show_command import open_picture
from profiler.export import FORMATS, find_exporter
from profiler.runs import open_run
from profiler.views.picture import Choice


class ExportOptions(msgspec.Struct, frozen=True, kw_only=True):
    reference: str | None
    format: str
    sampler: str | None
    choice: Choice
    output: Path | None
    as_json: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_reference", nargs="?", metavar="RUN", help="path, id or its beginning (default: the latest)"
    )
    parser.add_argument("--format", choices=FORMATS, default="speedscope", help="default speedscope")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")
    add_sampler_choice(parser, fold=False)
    parser.add_argument("--json", action="store_true", help="with --output: say what was written as JSON")


def run(namespace: argparse.Namespace) -> int:
    exporter = find_exporter(namespace.format)
    options = ExportOptions(
        reference=namespace.run_reference,
        format=namespace.format,
        sampler=namespace.sampler,
        choice=read_choice(namespace, by_line=exporter.by_line),
        output=namespace.output,
        as_json=namespace.json,
    )
    check_output(options.output, options.format, as_json=options.as_json)
    opened = open_run(options.reference)
    picture = open_picture(opened, options.sampler, options.choice)
    data = exporter.encode(picture)
    write_output(data, options.output, as_json=options.as_json)
    return 0
