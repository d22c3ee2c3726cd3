"""What a target's interpreter has installed."""

from __future__ import annotations

import json
import subprocess

from profiler.errors import UsageError

_ASK = """
import importlib.metadata as metadata, json, sys
versions = {}
for name in sys.argv[1:]:
    try:
        versions[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps({"tag": "cp%d%d" % sys.version_info[:2], "versions": versions}))
"""


def installed_versions(python: str, packages: list[str]) -> tuple[str, dict[str, str]]:
    """(`cp313`-like tag, versions of those of the packages that are installed).

    Raises:
        UsageError: the interpreter does not run.
    """
    try:
        done = subprocess.run(
            [python, "-c", _ASK, *packages],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UsageError(f"{python} does not run as a Python interpreter: {error}") from error
    return answer["tag"], answer["versions"]
