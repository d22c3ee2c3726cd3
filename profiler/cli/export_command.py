"""`profiler export`: a run in another tool's format, to standard output or a file."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import msgspec

from profiler.cli.console import print_json, status_console
from profiler.cli.show_command import add_choice, open_picture, read_choice
from profiler.errors import UsageError
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
    add_choice(parser, fold=False)
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
    _refuse_mixed_output(options)
    opened = open_run(options.reference)
    picture = open_picture(opened, options.sampler, options.choice)
    data = exporter.encode(picture)
    if options.output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return 0
    write_whole(options.output, data)
    if options.as_json:
        print_json({"schema": "profiler.export/1", "file": str(options.output), "bytes": len(data)})
    else:
        status_console().print(f"wrote {options.output} ({len(data):,} bytes)", markup=False)
    return 0


def write_whole(path: Path, data: bytes) -> None:
    """Write under a temporary name beside the file, readable by its owner, then rename.

    Raises:
        UsageError: the folder is missing or can't be written, the disk is full, or the path is a folder.
    """
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise UsageError(f"can't write {path}: {error.strerror}", hint="choose another place with -o") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _refuse_mixed_output(options: ExportOptions) -> None:
    if options.output is None and options.as_json:
        raise UsageError("--json needs -o FILE: both would go to standard output", hint="add -o FILE, or drop --json")
    if options.output is None and options.format == "pprof" and sys.stdout.isatty():
        raise UsageError("pprof is binary and standard output is a terminal", hint="add -o FILE")
