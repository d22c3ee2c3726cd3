"""Opens a URL in the user's browser, where there is one."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Mapping


def open_browser(url: str, environment: Mapping[str, str] | None = None) -> bool:
    """True if a browser was started. Without a display none is tried: a text browser can't draw the graph."""
    environment = os.environ if environment is None else environment
    if not any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")):
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
