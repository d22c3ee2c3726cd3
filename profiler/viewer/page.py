"""A flamegraph page that needs no server: speedscope's own files opened by `file://`, with the profile in a script.

speedscope adds the script named by `localProfilePath` to its page; the script hands the profile over in base64. Pages
opened by `file://` may not fetch, but they may load scripts.
"""

from __future__ import annotations

import base64
import contextlib
import os
from pathlib import Path
from urllib.parse import quote

from profiler.errors import UsageError
from profiler.viewer.assets import FOLDER, load_assets


def write_page(profile: bytes, path: Path, *, view: str = "left-heavy") -> str:
    """Write the script and return the URL to open.

    Args:
        profile: A speedscope file.
        path: Where the script goes; an existing one is replaced when the new one is whole.

    Raises:
        ProfilerError: speedscope's pages are missing.
        UsageError: the place can't be written.
    """
    load_assets()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    script = b'speedscope.loadFileFromBase64("profile.speedscope.json", "%s")\n' % base64.b64encode(profile)
    try:
        temporary.touch(mode=0o600)
        temporary.write_bytes(script)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise UsageError(f"can't write {path}: {error.strerror}", hint="choose another place") from error
    # speedscope puts `file:///` before the path and splits its parameters at = and &.
    script_path = quote(str(path.resolve()).lstrip("/"), safe="/")
    return f"{(FOLDER / 'index.html').resolve().as_uri()}#localProfilePath={script_path}&view={view}"
