"""How a server is found, started, proved ready, measured and stopped."""

from __future__ import annotations

from pathlib import Path

from profiler.errors import UsageError
from profiler.targets.attach import AttachedTarget
from profiler.targets.base import RunningTarget, TargetKind, TargetSpec
from profiler.targets.command import Command
from profiler.targets.cpu_clock import CpuMeter
from profiler.targets.detect import Choice, choose
from profiler.targets.django_bolt import DjangoBolt
from profiler.targets.granian import Granian
from profiler.targets.gunicorn import Gunicorn
from profiler.targets.launched import LaunchedTarget, Wrap
from profiler.targets.reference import ReferenceServer
from profiler.targets.robyn import Robyn
from profiler.targets.uvicorn import Uvicorn

__all__ = ["KINDS", "CpuMeter", "RunningTarget", "TargetKind", "TargetSpec", "choose_target", "start_target"]

KINDS: tuple[TargetKind, ...] = (DjangoBolt(), Granian(), Robyn(), Gunicorn(), Uvicorn(), ReferenceServer(), Command())
"""In the order of detection."""


def choose_target(spec: TargetSpec) -> Choice:
    """What `start_target` would start; nothing is started."""
    return choose(spec, KINDS)


def start_target(spec: TargetSpec, *, wrap: Wrap, logs: Path) -> RunningTarget:
    """Start the target, or attach to it where a pid, or a URL and nothing to start, was given.

    `wrap` may change the launch; what the target prints goes to a file in `logs`.

    Raises:
        UsageError: what the user named is not there.
        TargetError: it does not start, or there is no such process.
    """
    if spec.pid is not None:
        if spec.command or spec.app:
            raise UsageError("--pid and something to start were both given", hint="attach to a process or start one")
        return AttachedTarget(spec)
    if spec.url is not None and not (spec.command or spec.app or spec.kind):
        return AttachedTarget(spec)
    return LaunchedTarget(spec, choose_target(spec), wrap, logs)
