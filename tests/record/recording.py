"""How these tests call the command."""

from __future__ import annotations

import subprocess
import sys

PROFILER = (sys.executable, "-m", "profiler")

Finished = subprocess.CompletedProcess[str]
