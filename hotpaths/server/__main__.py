"""`python -m hotpaths.server`: serves, and prints one line when ready."""

from __future__ import annotations

import sys

from hotpaths.server import options
from hotpaths.server.options import KEPT, Options


def _announce(asked: Options, port: int) -> None:
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    told = f"with {asked.switches}, processes={asked.processes}, workers={asked.workers}"
    if asked.thread_state != KEPT:
        told += f", thread-state={asked.thread_state}"
    sys.stdout.write(f"serving http://{host}:{port} {told}\n")
    sys.stdout.flush()


def main() -> int:
    """Serves until a signal; 0 after a graceful stop, 1 where it can't serve, 2 for wrong use."""
    asked = options.read()
    try:
        from hotpaths.server.application import serve
        from hotpaths.server.processes import serve_together
    except ModuleNotFoundError as error:
        if error.name != "hotpaths_native":
            raise
        sys.stderr.write(
            "hotpaths.server: its Rust side is not built\nhint: (cd hotpaths/server && maturin develop -r)\n"
        )
        return 1
    try:
        if asked.processes > 1:
            return serve_together(asked, lambda port: _announce(asked, port))
        serve(asked, asked.port, lambda port: _announce(asked, port))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"hotpaths.server: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
