"""`profiler record`: a real server, real load, real stacks, one sealed run.

Examples: `profiler record --endpoint /hello`; `profiler record --pid 4711 --load none --duration 10`;
`profiler record --url http://127.0.0.1:8000 -- ./serve --port 8000`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from profiler.capture import CaptureOptions, record
from profiler.capture.machine import default_cpu_sets
from profiler.cli import arguments as values
from profiler.cli.console import print_json, result_console, status_console
from profiler.cli.progress import RecordProgress
from profiler.cli.record_json import record_objects
from profiler.errors import UsageError
from profiler.model.load import Endpoint
from profiler.runs import Run
from profiler.targets import KINDS, TargetSpec

UNTRUSTED = 5
REFERENCE_SERVER = "hotpaths-server"


class RecordOptions(msgspec.Struct, frozen=True, kw_only=True):
    capture: CaptureOptions
    as_json: bool
    open_viewer: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", nargs="*", metavar="-- COMMAND", help="a command to start as the target")
    target = parser.add_argument_group("target")
    target.add_argument("--target", choices=[kind.name for kind in KINDS], help="kind of server (default: detected)")
    target.add_argument("--app", help="import string, script or manage.py (default: detected)")
    target.add_argument(
        "--set",
        dest="settings",
        metavar="SWITCH=SIDE,…",
        help="start the reference server with these switches",
    )
    target.add_argument("--python", help="interpreter or virtual environment of the target")
    target.add_argument("--pid", type=values.process_id, help="attach to this process instead of starting one")
    target.add_argument("--url", help="where the target serves, e.g. http://127.0.0.1:8000")
    target.add_argument("--processes", type=values.count, default=1, help="server processes (default 1)")
    target.add_argument("--workers", type=values.count, default=1, help="workers in each process (default 1)")
    target.add_argument("--server-cpus", type=values.cpu_set, metavar="LIST", help="CPUs of the server, or none")
    request = parser.add_argument_group("request")
    request.add_argument("--endpoint", type=values.endpoint_path, help="path to ask for (default /)")
    request.add_argument("--method", default="GET")
    request.add_argument("--header", type=values.header, action="append", default=[], metavar="'NAME: VALUE'")
    request.add_argument("--body", type=values.body, default=b"", metavar="TEXT|@FILE")
    request.add_argument(
        "--expect", type=values.expectation, default=(200, None), metavar="STATUS|TEXT|STATUS:TEXT",
        help="what a right answer is (default 200)",
    )  # fmt: skip
    load = parser.add_argument_group("load")
    load.add_argument("--load", default="native", help="load generator, or none (default native)")
    load.add_argument("--connections", type=values.count, default=50, help="keep-alive connections (default 50)")
    load.add_argument("--rps", type=values.positive, help="offer this rate instead of as much as is answered")
    load.add_argument("--warmup", type=values.positive, default=2.0, metavar="S", help="shortest warm-up (default 2)")
    load.add_argument("--client-cpus", type=values.cpu_set, metavar="LIST", help="CPUs of load and sampler, or none")
    sampling = parser.add_argument_group("sampling")
    sampling.add_argument("--sampler", metavar="NAME[@HZ],…", help="default: the best that can run here")
    sampling.add_argument("--rate", type=values.positive, metavar="HZ", help="samples per second of CPU time")
    sampling.add_argument(
        "--duration", type=values.positive, default=10.0, metavar="S",
        help="sampled time per sampler; as much again is measured without sampling (default 10)",
    )  # fmt: skip
    sampling.add_argument(
        "--off-cpu", action="store_true",
        help="also what threads wait for, in wall time: a capture `exact-off-cpu` of its own (exact sampler only)",
    )  # fmt: skip
    sampling.add_argument("--perf-trampoline", action="store_true", help="Python names in perf; changes the target")
    sampling.add_argument(
        "--symbols",
        default="auto",
        metavar="auto|off|PATH",
        help="extensions rebuilt with symbols by `profiler build` (default: those there are)",
    )
    sampling.add_argument("--seed", type=int, default=0, help="of the order of the windows")
    output = parser.add_argument_group("output")
    output.add_argument("-o", "--output", type=Path, help="folder of the run (default .profiler/runs/…)")
    output.add_argument("--json", action="store_true", help="one JSON object on standard output")
    output.add_argument(
        "--open", action=argparse.BooleanOptionalAction, default=None,
        help="serve the flamegraph until Ctrl-C (default: in a terminal)",
    )  # fmt: skip


def run(namespace: argparse.Namespace) -> int:
    options = _options(namespace)
    console = status_console()
    with RecordProgress(console) as progress:
        recorded = record(options.capture, progress)
    metadata = recorded.metadata
    if options.as_json:
        objects = record_objects(metadata, recorded.path)
        print_json(objects[0] if len(objects) == 1 else objects)
    elif options.open_viewer or not any(capture.samples for capture in metadata.captures):
        _show(recorded)
    else:
        _show_with_page(recorded, console)
    if options.open_viewer:
        _open(recorded)
    return UNTRUSTED if metadata.untrusted else 0


def _options(namespace: argparse.Namespace) -> RecordOptions:
    server_cpus, client_cpus = default_cpu_sets()
    if namespace.pid is not None and namespace.program:
        raise UsageError("--pid and a command were both given", hint="attach to a process or start one, not both")
    if namespace.load == "none" and namespace.rps:
        raise UsageError("--rps needs a load, and --load none was given")
    loaded = namespace.load != "none"
    if loaded and (namespace.pid is not None or namespace.program) and not namespace.url and not _has_port(namespace):
        raise UsageError(
            "load was asked for, and nothing says where the target serves",
            hint="add --url http://127.0.0.1:PORT, or --load none to profile what the process does by itself",
        )
    target = TargetSpec(
        folder=Path.cwd(),
        kind=_kind(namespace),
        app=namespace.app,
        command=tuple(namespace.program),
        pid=namespace.pid,
        url=namespace.url,
        settings=namespace.settings,
        python=namespace.python,
        processes=namespace.processes,
        workers=namespace.workers,
        cpus=server_cpus if namespace.server_cpus is None else namespace.server_cpus,
    )
    status, text = namespace.expect
    endpoint = Endpoint(
        path=namespace.endpoint or "/",
        method=namespace.method.upper(),
        headers=tuple(namespace.header),
        body=namespace.body,
        expect_status=status,
        expect_body=text,
    )
    capture = CaptureOptions(
        target=target,
        endpoint=endpoint if loaded else None,
        samplers=_samplers(namespace),
        hz=namespace.rate,
        load=namespace.load,
        connections=namespace.connections,
        rps=namespace.rps,
        duration_s=namespace.duration,
        warm_up_s=namespace.warmup,
        client_cpus=client_cpus if namespace.client_cpus is None else namespace.client_cpus,
        output=namespace.output,
        symbols=namespace.symbols,
        seed=namespace.seed,
    )
    interactive = sys.stdout.isatty() and not namespace.json
    return RecordOptions(
        capture=capture,
        as_json=namespace.json,
        open_viewer=interactive if namespace.open is None else namespace.open,
    )


def _kind(namespace: argparse.Namespace) -> str | None:
    if namespace.settings is None:
        return str(namespace.target) if namespace.target else None
    if namespace.target not in (None, REFERENCE_SERVER) or namespace.program or namespace.pid is not None:
        raise UsageError("--set are switches of the reference server, and another target was named")
    return REFERENCE_SERVER


def _has_port(namespace: argparse.Namespace) -> bool:
    """`{port}` in a command is replaced by a free port, where the target then serves."""
    return any("{port}" in part for part in namespace.program)


def _samplers(namespace: argparse.Namespace) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(namespace.sampler.split(","))) if namespace.sampler else ()
    if namespace.perf_trampoline:
        names = tuple("perf-trampoline" if name == "perf" else name for name in names) or ("perf-trampoline",)
    return _with_waits(names) if namespace.off_cpu else names


def _with_waits(names: tuple[str, ...]) -> tuple[str, ...]:
    """The samplers with the one of waits, at the exact sampler's rate."""
    exact = [name for name in names or ("exact",) if name.partition("@")[0] == "exact"]
    if not exact:
        raise UsageError(
            f"--off-cpu needs the exact sampler, and --sampler {','.join(names)} was given",
            hint="leave --sampler away, or add exact to it",
        )
    waits = "exact-off-cpu" + "".join(exact[0].partition("@")[1:])
    return tuple(dict.fromkeys((*(names or exact), waits)))


def _show(recorded: Run) -> None:
    from profiler.cli.show_command import render_show

    render_show(recorded, result_console())


def _show_with_page(recorded: Run, console: Console) -> None:
    """Where nobody watches, the flamegraph is left as a page that needs no server. It is written first, so that it
    waits for nothing, and named last, where it is looked for."""
    from profiler.cli.open_command import page_url

    try:
        url = page_url(recorded)
    finally:
        _show(recorded)
    console.print("flamegraph, here or by `profiler open`:")
    print(url, flush=True)


def _open(recorded: Run) -> None:
    from profiler.cli.open_command import serve_run

    with contextlib.suppress(KeyboardInterrupt):
        serve_run(recorded)
