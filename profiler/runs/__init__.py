"""The one place that knows file names and schemas inside a run directory, and the catalogue of runs."""

from profiler.runs.catalogue import list_runs, open_run
from profiler.runs.run import Run
from profiler.runs.writer import RunWriter

__all__ = ["Run", "RunWriter", "list_runs", "open_run"]
