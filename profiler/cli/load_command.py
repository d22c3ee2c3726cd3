"""`profiler load URL`: offer load, report what came of it, and whether the generator was the limit.

Examples: `profiler load http://127.0.0.1:8000/hello`; `profiler load URL --rps 5000 --arrivals poisson`;
`profiler load URL --connections 1,2,4,8,16`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from profiler.cli import arguments as values
from profiler.cli.console import print_json, result_console, status_console
from profiler.cli.load_report import load_object, print_steps
from profiler.cli.progress import RecordProgress
from profiler.errors import UsageError
from profiler.load import find_generator
from profiler.load.drive import Driven, drive_steps
from profiler.load.values import parse_values
from profiler.load.verdict import GENERATOR_BOUND
from profiler.model.load import Endpoint, LoadSpec

UNTRUSTED = 5
INTERRUPTED = 130
ERROR_LIMIT = 0.01


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    specs: tuple[LoadSpec, ...]
    generator: str
    duration_s: float
    as_json: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", help="what to ask for, e.g. http://127.0.0.1:8000/hello")
    parser.add_argument("--load", default="native", metavar="NAME", help="native, wrk, oha, locust:FILE")
    request = parser.add_argument_group("request")
    request.add_argument("--method", default="GET")
    request.add_argument("--header", type=values.header, action="append", default=[], metavar="'NAME: VALUE'")
    request.add_argument("--body", type=values.body, default=b"", metavar="TEXT|@FILE")
    request.add_argument("--expect", type=values.expectation, default=(200, None), metavar="STATUS|TEXT|STATUS:TEXT")
    request.add_argument("--expect-length", type=int, metavar="BYTES", help="length every body must have")
    request.add_argument(
        "--values", action="append", default=[], metavar="NAME=LIST|@FILE|int:LOW:HIGH|seq:LOW:HIGH|uuid",
        help="what {NAME} in path and body stands for, one value per request",
    )  # fmt: skip
    request.add_argument(
        "--also", action="append", default=[], metavar="WEIGHT:[METHOD:]PATH",
        help="a further endpoint, without a body; the first has weight 1",
    )  # fmt: skip
    offered = parser.add_argument_group("load")
    offered.add_argument("--connections", type=_numbers, default=(50,), metavar="N[,N]", help="several: one step each")
    offered.add_argument("--rps", type=_numbers, metavar="R[,R]", help="offered rate; several: one step each")
    offered.add_argument("--arrivals", choices=("constant", "poisson"), default="constant")
    offered.add_argument("--duration", type=values.positive, default=10.0, metavar="S", help="of each step (10)")
    offered.add_argument("--warmup", type=values.positive, default=2.0, metavar="S", help="shortest warm-up (2)")
    offered.add_argument("--timeout", type=values.positive, default=10.0, metavar="S", help="of a response (10)")
    offered.add_argument("--seed", type=int, default=0, help="of arrivals, values and the order of endpoints")
    offered.add_argument("--client-cpus", type=values.cpu_set, default=(), metavar="LIST", help="CPUs of the load")
    wire = parser.add_argument_group("connections")
    wire.add_argument("--no-keep-alive", action="store_true", help="a connection for each request")
    wire.add_argument("--http", choices=("1.1", "1.0"), default="1.1")
    wire.add_argument("--pipeline", type=values.count, default=1, help="requests in flight on a connection (1)")
    wire.add_argument("--unix", metavar="PATH", help="connect to this Unix socket; the URL then only names the host")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(namespace: argparse.Namespace) -> int:
    options = _options(namespace)
    console = status_console()
    with tempfile.TemporaryDirectory(prefix="profiler-load-") as folder, RecordProgress(console) as progress:
        progress.phase(f"load on {options.specs[0].url}")
        driven = drive_steps(
            find_generator(options.generator),
            options.specs,
            options.duration_s,
            Path(folder) / "load.log",
            lambda _step, tick: progress.tick(tick),
            progress.advance,
        )
    if options.as_json:
        print_json(load_object(options.specs, driven))
    else:
        print_steps(result_console(), options.specs, driven)
    return _exit_code(driven)


def _exit_code(driven: tuple[Driven, ...]) -> int:
    if driven[-1].interrupted:
        return INTERRUPTED
    for step in driven:
        result = step.result
        failed = sum(result.errors.values()) > ERROR_LIMIT * max(1, result.requests)
        unbalanced = result.account is not None and not result.account.balanced
        missing = result.account is not None and result.connections_opened < result.connections
        if result.verdict == GENERATOR_BOUND or failed or unbalanced or missing:
            return UNTRUSTED
    return 0


def _options(namespace: argparse.Namespace) -> LoadOptions:
    parts = urlsplit(namespace.url)
    if not parts.netloc:
        raise UsageError(f"not a URL of a server: {namespace.url}", hint="write it like http://127.0.0.1:8000/hello")
    templates = dict(parse_values(text, namespace.seed) for text in namespace.values)
    status, text = namespace.expect
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    first = Endpoint(
        path=path,
        method=namespace.method.upper(),
        headers=tuple(namespace.header),
        body=namespace.body,
        expect_status=status,
        expect_body=text,
        expect_length=namespace.expect_length,
        values=templates,
    )
    rates = namespace.rps or (None,)
    if len(rates) > 1 and len(namespace.connections) > 1:
        raise UsageError("--connections and --rps both name several steps", hint="walk one of the two")
    specs = tuple(
        LoadSpec(
            url=f"{parts.scheme}://{parts.netloc}",
            endpoint=first,
            more=tuple(_further(also, templates) for also in namespace.also),
            connections=connections,
            rps=rate,
            arrivals=namespace.arrivals,
            warm_up_s=namespace.warmup,
            timeout_s=namespace.timeout,
            seed=namespace.seed,
            cpus=namespace.client_cpus,
            keep_alive=not namespace.no_keep_alive,
            http=namespace.http,
            pipeline=namespace.pipeline,
            unix_socket=namespace.unix,
            deadline_s=namespace.duration + namespace.warmup + 60,
        )
        for connections in namespace.connections
        for rate in rates
    )
    return LoadOptions(
        specs=specs, generator=namespace.load, duration_s=namespace.duration, as_json=namespace.json
    )  # fmt: skip


def _further(text: str, templates: dict[str, tuple[str, ...]]) -> Endpoint:
    weight, _, rest = text.partition(":")
    method, path = ("GET", rest) if rest.startswith("/") else rest.split(":", 1) if ":" in rest else ("", "")
    try:
        return Endpoint(
            path=values.endpoint_path(path), method=method.upper(), weight=values.positive(weight), values=templates
        )
    except argparse.ArgumentTypeError:
        hint = "write it like --also 0.5:/users or --also 0.5:DELETE:/users/{id}"
        raise UsageError(f"{text!r} is not WEIGHT:[METHOD:]PATH", hint=hint) from None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(values.count(part) for part in text.split(","))
