"""Overlays: a package's native extension rebuilt with symbols, used only while profiling.

A published wheel of a Rust extension is stripped, so its frames have no names. An overlay is the same version built
from its source distribution with the same optimization settings plus line tables, symbols and frame pointers. It lies
in the user's cache and goes ahead of the installed package on
`PYTHONPATH` of a profiled target; nothing installed is changed.
"""

from profiler.overlays.build import build_overlay
from profiler.overlays.cache import Overlay, cached_overlays, find_overlay
from profiler.overlays.launch import overlay_launch

__all__ = ["Overlay", "build_overlay", "cached_overlays", "find_overlay", "overlay_launch"]
