"""What this machine and its tools are, for the run's metadata."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe_machine() -> dict[str, str]:
    """Facts a reader needs to judge a figure; nothing that names the user or the host."""
    return {
        "cpu": _cpu_model(),
        "cpus": str(os.cpu_count() or 0),
        "usable_cpus": str(len(os.sched_getaffinity(0))),
        "memory_gib": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f}",
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "perf_event_paranoid": _read("/proc/sys/kernel/perf_event_paranoid"),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "not exposed",
        "hypervisor": "yes" if " hypervisor" in _read("/proc/cpuinfo") else "no",
    }


def default_cpu_sets() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(server CPUs, client CPUs): the client, with the sampler's processes, gets the last quarter, at least one.

    Both are empty on a machine with one CPU: there is nothing to keep apart.
    """
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        return (), ()
    client = max(1, len(cpus) // 4)
    return tuple(cpus[:-client]), tuple(cpus[-client:])


def _cpu_model() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
