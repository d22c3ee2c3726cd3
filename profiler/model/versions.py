"""What wrote a run."""

from __future__ import annotations

import platform

from profiler import __version__


def describe_versions() -> dict[str, str]:
    """The toolkit's version and that of the interpreter it ran on."""
    return {"profiler": __version__, "python": platform.python_version()}
