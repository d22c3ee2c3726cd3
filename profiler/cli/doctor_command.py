"""`profiler doctor`: what can be sampled and loaded on this machine, and the command that would fix the rest."""

from __future__ import annotations

import argparse
from typing import Any

from rich.markup import escape

from profiler.capture.machine import describe_machine
from profiler.cli.console import print_json, result_console
from profiler.load import GENERATORS
from profiler.samplers import LADDER, SAMPLERS, SamplerOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(namespace: argparse.Namespace) -> int:
    report = examine()
    if namespace.json:
        print_json(report)
    else:
        _show(report)
    return 0 if report["default_sampler"] else 4


def examine() -> dict[str, Any]:
    """Probe every sampler and load generator: `{name, usable, reason, fix}` each."""
    samplers = []
    for sampler in SAMPLERS:
        missing = sampler.probe(SamplerOptions(hz=sampler.default_hz))
        samplers.append(
            {
                "name": sampler.name,
                "usable": missing is None,
                "reason": missing.reason if missing is not None else "",
                "fix": missing.fix if missing is not None else "",
                "distorts": sampler.distortion,
            }
        )
    usable = {entry["name"] for entry in samplers if entry["usable"]}
    generators = [
        {"name": generator.name, "usable": (reason := generator.probe()) is None, "reason": reason or ""}
        for generator in GENERATORS
    ]
    return {
        "schema": "profiler.doctor/1",
        "machine": describe_machine(),
        "samplers": samplers,
        "ladder": list(LADDER),
        "default_sampler": next((name for name in LADDER if name in usable), None),
        "load_generators": generators,
    }


def _show(report: dict[str, Any]) -> None:
    console = result_console()
    machine = report["machine"]
    console.print(f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}", markup=False)
    for title, entries in (("samplers", report["samplers"]), ("load generators", report["load_generators"])):
        console.print(f"\n[bold]{title}[/bold]")
        for entry in entries:
            mark = "[green]yes[/green]" if entry["usable"] else "[red]no [/red]"
            note = entry["reason"] or entry.get("distorts", "")
            console.print(f"  {mark} {entry['name']:<16} {escape(note)}")
            if entry.get("fix"):
                console.print(f"      hint: {escape(entry['fix'])}", style="dim")
    chosen = report["default_sampler"]
    ladder = " → ".join(report["ladder"])
    console.print(f"\n`profiler record` takes the first that works of {ladder}: [bold]{chosen or 'none'}[/bold]")
