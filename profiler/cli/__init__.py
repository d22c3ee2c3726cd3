"""The `profiler` command: one file per subcommand, in the order of a user's work.

Each subcommand's module has `HELP` (one line), `add_arguments(parser)` and `run(arguments) -> int`, where `run` turns
the namespace into a frozen options object before anything else sees it. Modules are imported only when their
subcommand is asked for, so that `profiler --help` is quick.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from profiler import __version__
from profiler.errors import ProfilerError

# Name and help line; the module `profiler.cli.<name>` is imported only when the name is asked for.
COMMANDS: tuple[tuple[str, str], ...] = (
    ("record", "start (or attach to) a server, drive load, sample it, and open the flamegraph"),
    ("load", "offer load to a URL and report what came of it"),
    ("show", "where a request's CPU time goes, in the terminal"),
    ("open", "open a run's flamegraph in speedscope, offline"),
    ("export", "write a run as speedscope, folded, pprof, firefox or svg"),
    ("import", "turn another tool's capture into a run"),
    ("build", "rebuild a package's native extension with symbols, for profiling only"),
    ("runs", "list the recorded runs"),
    ("doctor", "what can be sampled on this machine, and what would fix the rest"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point: returns the exit code of the subcommand."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(arguments)
    namespace = parser.parse_args(arguments)
    if namespace.command is None:
        parser.print_help()
        return 2
    try:
        return int(namespace.run(namespace))
    except ProfilerError as error:
        _report(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("profiler: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, less) has gone: not an error, but Python would complain again while flushing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="profiler",
        description="Where a Python web server with a native core spends its CPU microseconds per request.",
        epilog="Every command has --help and --json. Exit codes: 0 done, 2 wrong use, 3 the target failed, "
        "4 a sampler or a privilege is missing, 5 done but not to be trusted, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"profiler {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, text in COMMANDS:
        subparser = subparsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == asked:
            module = importlib.import_module(f"profiler.cli.{name}_command")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def _report(error: ProfilerError) -> None:
    print(f"profiler: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
