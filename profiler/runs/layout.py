"""File names inside a run directory. Nothing else in the toolkit spells them."""

from __future__ import annotations

from pathlib import Path

METADATA = "run.json"
PROFILES = "profiles"
LOGS = "logs"
ATTACHMENTS = "attachments"
TABLES = ("frames", "stacks", "samples", "threads")

# A run that is being written; the number is the process that writes it, so that a left-over can be told apart.
UNSEALED = ".unsealed-"


def default_root() -> Path:
    """Where runs go when the user names no place: `.profiler/runs` in the current folder."""
    return Path(".profiler") / "runs"


def table_path(run: Path, sampler: str, table: str) -> Path:
    """The Parquet file of one table of one sampler's profile."""
    return run / PROFILES / sampler / f"{table}.parquet"
