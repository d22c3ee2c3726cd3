"""Picture → bytes: one file per format. Pure."""

from __future__ import annotations

from profiler.errors import UsageError
from profiler.export.base import Exporter
from profiler.export.call_tree import JsonExporter
from profiler.export.firefox import FirefoxExporter
from profiler.export.folded import FoldedExporter
from profiler.export.pprof import PprofExporter
from profiler.export.speedscope import SpeedscopeExporter
from profiler.export.svg import SvgExporter

EXPORTERS: tuple[Exporter, ...] = (
    SpeedscopeExporter(),
    FoldedExporter(),
    PprofExporter(),
    FirefoxExporter(),
    SvgExporter(),
    JsonExporter(),
)

FORMATS = tuple(exporter.name for exporter in EXPORTERS)


def find_exporter(name: str) -> Exporter:
    """
    Raises:
        UsageError: no such format.
    """
    for exporter in EXPORTERS:
        if exporter.name == name:
            return exporter
    raise UsageError(f"no export format {name!r}", hint=f"there are: {', '.join(FORMATS)}")
