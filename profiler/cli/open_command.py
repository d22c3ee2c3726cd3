"""`profiler open`: a run's flamegraph in the bundled speedscope, offline, until Ctrl-C."""

from __future__ import annotations

import argparse

import msgspec

from profiler.cli.choice import add_sampler_choice, read_choice
from profiler.cli.console import print_json, status_console
from profiler.cli.show_command import open_picture
from profiler.cli.stop_signals import StopSignals
from profiler.export.speedscope import SpeedscopeExporter
from profiler.runs import Run, open_run
from profiler.viewer import Viewer, load_assets, write_page
from profiler.viewer.browser import open_browser
from profiler.views.picture import Choice

VIEWS = ("left-heavy", "time-ordered", "sandwich")


class OpenOptions(msgspec.Struct, frozen=True, kw_only=True):
    sampler: str | None = None
    choice: Choice = Choice(fold=True)
    browser: bool = True
    view: str = "left-heavy"
    as_json: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_reference", nargs="?", metavar="RUN", help="path, id or its beginning (default: the latest)"
    )
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="only print the URL")
    parser.add_argument("--view", choices=VIEWS, default="left-heavy", help="what to show first (default left-heavy)")
    parser.add_argument("--page", action="store_true", help="write a page that needs no server, and print its URL")
    add_sampler_choice(parser, fold=True)
    parser.add_argument("--json", action="store_true", help="print the URL as a JSON object on standard output")


def run(namespace: argparse.Namespace) -> int:
    options = OpenOptions(
        sampler=namespace.sampler,
        choice=read_choice(namespace),
        browser=namespace.browser,
        view=namespace.view,
        as_json=namespace.json,
    )
    opened = open_run(namespace.run_reference)
    if namespace.page:
        _report(page_url(opened, options), opened, options)
        return 0
    serve_run(opened, options)
    return 0


def serve_run(opened: Run, options: OpenOptions | None = None) -> None:
    """Serve a run's flamegraph until Ctrl-C or SIGTERM.

    Raises:
        ProfilerError: speedscope's pages are missing.
        UsageError: the run has no such stacks.
    """
    options = options or OpenOptions()
    assets = load_assets()
    picture = open_picture(opened, options.sampler, options.choice)
    with StopSignals() as stop, Viewer(SpeedscopeExporter().encode(picture), assets, view=options.view) as viewer:
        _report(viewer.url, opened, options)
        started = options.browser and open_browser(viewer.url)
        note = "opened in the browser" if started else "open this URL in a browser on this machine"
        status_console().print(f"{note}; Ctrl-C ends it", style="dim")
        stop.wait()


def page_url(opened: Run, options: OpenOptions | None = None) -> str:
    """Write the flamegraph beside the run as a page that needs no server; its URL.

    Raises:
        ProfilerError, UsageError: as `serve_run`, or the place beside the run can't be written.
    """
    options = options or OpenOptions()
    picture = open_picture(opened, options.sampler, options.choice)
    script = opened.path.resolve().with_name(f"{opened.path.resolve().name}.speedscope.js")
    return write_page(SpeedscopeExporter().encode(picture), script, view=options.view)


def _report(url: str, opened: Run, options: OpenOptions) -> None:
    if options.as_json:
        print_json({"schema": "profiler.open/1", "url": url, "run": str(opened.path)})
    else:
        # The URL alone on its line of standard output, unwrapped, so that a script can read it.
        print(url, flush=True)
