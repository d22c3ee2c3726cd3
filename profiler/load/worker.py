"""The load generator's process: bind it to its parent and its CPUs, then hand both pipes to the Rust core.

Standard input: the order as one JSON line, later commands; its end is the end of the generator. Standard output: one
JSON line per event. Arguments: pid of the parent, then the CPUs as a comma-separated list, or nothing.
"""

from __future__ import annotations

import os
import resource
import sys

from profiler import _native
from profiler.load.leash import bind


def main() -> int:
    bind(int(sys.argv[1]), sys.argv[2])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Copies, because the core closes what it is given.
    return 0 if _native.serve_load(os.dup(0), os.dup(1)) else 1


if __name__ == "__main__":
    sys.exit(main())
