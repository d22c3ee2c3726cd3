"""A profile as four Parquet tables: frames, stacks, samples, threads. Schemas are documented in docs/formats.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from profiler.model.frame import Frame, Language
from profiler.model.profile import Profile, Samples
from profiler.runs.layout import table_path

_FRAME_FIELDS = ("name", "module", "language", "file", "line", "inlined", "detail", "plumbing")
_SAMPLE_FIELDS = ("time_ns", "pid", "tid", "block", "weight_ns", "stack")


def write_profile(run: Path, sampler: str, profile: Profile) -> None:
    """Write the four tables under the sampler's name."""
    tables = {
        "frames": pa.table({field: [getattr(frame, field) for frame in profile.frames] for field in _FRAME_FIELDS}),
        "stacks": pa.table({"frames": pa.array(profile.stacks, type=pa.list_(pa.int32()))}),
        "samples": pa.table({field: getattr(profile.samples, field) for field in _SAMPLE_FIELDS}),
        "threads": pa.table(
            {
                "pid": pa.array([pid for pid, _ in profile.threads], type=pa.int64()),
                "tid": pa.array([tid for _, tid in profile.threads], type=pa.int64()),
                "name": pa.array(profile.threads.values(), type=pa.string()),
            }
        ),
    }
    for name, table in tables.items():
        path = table_path(run, sampler, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, compression="zstd")


def read_profile(run: Path, sampler: str) -> Profile:
    """Read the four tables back.

    Raises:
        ValueError: a table that contradicts another (an index out of range) or a column that is missing.
        OSError, pyarrow.ArrowException: a file that is missing or damaged.
    """
    tables = {name: _read_table(table_path(run, sampler, name)) for name in ("frames", "stacks", "samples", "threads")}
    rows = tables["frames"].to_pylist()
    frames = tuple(Frame(**{**row, "language": Language(row["language"])}) for row in rows)
    stacks = tuple(tuple(stack) for stack in tables["stacks"].column("frames").to_pylist())
    columns = {field: tables["samples"].column(field).to_numpy().astype(np.int64) for field in _SAMPLE_FIELDS}
    if any(index < 0 or index >= len(frames) for stack in stacks for index in stack):
        raise ValueError("a stack names a frame that is not there")
    samples = Samples(**columns)
    if bool(np.any((samples.stack < 0) | (samples.stack >= len(stacks)))):
        raise ValueError("a sample names a stack that is not there")
    threads = {(row["pid"], row["tid"]): row["name"] for row in tables["threads"].to_pylist()}
    return Profile(frames=frames, stacks=stacks, samples=samples, threads=threads)


def _read_table(path: Path) -> pa.Table:
    # Not `read_table`: that imports all of pyarrow's data sets, which takes longer than reading a run.
    with pq.ParquetFile(path) as file:
        return file.read()
