"""Serves the bundled speedscope and one profile on loopback, and nothing to anybody else."""

from profiler.viewer.assets import load_assets
from profiler.viewer.page import write_page
from profiler.viewer.server import Viewer

__all__ = ["Viewer", "load_assets", "write_page"]
