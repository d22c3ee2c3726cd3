"""The recorder as a program of its own: where it is, and how it is given what it needs without root.

Capabilities belong to a file, so the recorder has to be one that is executed: an interpreter with capabilities would
hand them to every script. A wheel carries this program, a checkout builds it with cargo.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

COMMAND_VARIABLE = "PROFILER_RECORDER"
"""Command line of the recorder, where it is not this interpreter: a program with capabilities, or one under sudo."""

CAPABILITIES = "cap_bpf,cap_perfmon,cap_sys_ptrace,cap_syslog"
"""Load the program, open the events, read the target; the last one only adds the names of kernel functions."""

_HERE = Path(__file__).resolve()
PACKAGED = _HERE.with_name("bin") / "profiler-recorder"
BUILT = _HERE.parents[2] / "target" / "release" / "profiler-recorder"


def program() -> Path | None:
    """The recorder's program that came with the toolkit or was built beside it."""
    return next((path for path in (PACKAGED, BUILT) if os.access(path, os.X_OK)), None)


def capable_program() -> Path | None:
    """That program, where it was given capabilities; what they are worth shows when it is run."""
    path = program()
    if path is None:
        return None
    try:
        os.getxattr(path, "security.capability")
    except OSError:
        return None
    return path


def permit() -> str:
    """The commands that let the recorder sample for a user who is not root."""
    path = program()
    build = "" if path else "cargo build --release -p profiler-exact && "
    quoted = shlex.quote(str(path or BUILT))
    return (
        f"run as root, or give the recorder alone what it needs: {build}sudo setcap {CAPABILITIES}=ep {quoted}; "
        f"or run it alone under sudo: export {COMMAND_VARIABLE}={shlex.quote(f'sudo -n {quoted}')} (docs/exact.md)"
    )
