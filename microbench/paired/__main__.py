"""`python -m microbench.paired --before STATEMENT --after STATEMENT`: a pair of statements from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import msgspec

from microbench.paired.bodies import Pair, compile_arms
from microbench.paired.processes import Errand, compare, python
from microbench.paired.rounds import measure
from profiler.errors import ProfilerError


def main(argv: Sequence[str] | None = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    pair = Pair(before=arguments.before, after=arguments.after, setup=arguments.setup)
    if arguments.errand is not None:
        errand = msgspec.json.decode(arguments.errand.read_bytes(), type=Errand)
        Path(errand.answer).write_bytes(msgspec.json.encode(measure(pair, errand.orders)))
        return 0
    from microbench.paired.options import PairedOptions  # these and what they import are not needed in a fresh process
    from microbench.paired.table import render

    given = {field.name: getattr(arguments, field.name, None) for field in fields(PairedOptions)}
    options = PairedOptions(**{name: value for name, value in given.items() if value is not None})
    try:
        compile_arms(pair)  # what is no Python is said here, not by the first process
        comparison = compare(
            arguments.name, statement_command(pair), null=pair.null_kind, options=options, folder=Path.cwd()
        )
    except ProfilerError as error:
        sys.stderr.write(f"paired: {error.message}\nhint: {error.hint}\n")
        return error.exit_code
    sys.stdout.write("\n".join(render([comparison])) + "\n")
    return 0


def statement_command(pair: Pair) -> list[str]:
    """The command of a fresh process that measures a pair of statements; takes the path of an errand at its end."""
    statements = ["--setup", pair.setup, "--before", str(pair.before), "--after", str(pair.after)]
    return [*python(), "-m", "microbench.paired", *statements, "--errand"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m microbench.paired", description=__doc__)
    parser.add_argument("--before", required=True, metavar="STATEMENT")
    parser.add_argument("--after", required=True, metavar="STATEMENT")
    parser.add_argument("--setup", default="", metavar="STATEMENTS", help="before every batch, outside the timing")
    parser.add_argument("--name", default="statements")
    parser.add_argument("--processes", type=int, metavar="N")
    parser.add_argument("--max-seconds", type=float, metavar="S", help="once the least number of processes is reached")
    parser.add_argument("--seconds", type=float, metavar="S", help="of measuring per process and condition")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--errand", type=Path, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
