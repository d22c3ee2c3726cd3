"""A run on disk, opened for reading."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow as pa

from profiler.errors import UsageError
from profiler.model.profile import Profile
from profiler.model.run import RUN_SCHEMA, RunMetadata
from profiler.runs import layout
from profiler.runs.tables import read_profile


class Run:
    """One capture: its metadata is read at once, its stacks when they are asked for."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            UsageError: no run there, a damaged one, or one written by a newer version.
        """
        self.path = path
        self.metadata = _read_metadata(path)

    @property
    def samplers(self) -> tuple[str, ...]:
        """Names of the samplers that took stacks, in the order they were asked for."""
        return tuple(capture.sampler for capture in self.metadata.captures)

    def profile(self, sampler: str | None = None) -> Profile:
        """What one sampler saw; the first one where none is named.

        Raises:
            UsageError: no such sampler in this run, or its tables are damaged.
        """
        if not self.samplers:
            raise UsageError(f"run {self.metadata.id} has no stacks: it was recorded without a sampler")
        name = sampler or self.samplers[0]
        if name not in self.samplers:
            raise UsageError(
                f"run {self.metadata.id} has no stacks of {name!r}", hint=f"it has: {', '.join(self.samplers)}"
            )
        try:
            return read_profile(self.path, name)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise _damaged(self.path, str(error).splitlines()[0]) from error

    def attachment(self, name: str) -> Path | None:
        """A further file a sampler left, such as `scalene.json`; None where it left none."""
        path = self.path / layout.ATTACHMENTS / name
        return path if path.is_file() else None

    @property
    def logs(self) -> tuple[Path, ...]:
        """What the target, the load generator and the samplers printed."""
        return tuple(sorted((self.path / layout.LOGS).glob("*")))


def _read_metadata(path: Path) -> RunMetadata:
    try:
        data = (path / layout.METADATA).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{path} is not a run: it has no {layout.METADATA}", hint="`profiler runs` lists them"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    try:
        metadata = msgspec.json.decode(data, type=RunMetadata)
    except msgspec.DecodeError as error:
        raise _damaged(path, f"{layout.METADATA}: {error}") from error
    if metadata.schema != RUN_SCHEMA:
        raise UsageError(
            f"{path} has schema {metadata.schema!r}, this version reads {RUN_SCHEMA!r}",
            hint="open it with the version of hotpath-profiler that recorded it",
        )
    return metadata


def _damaged(path: Path, reason: str) -> UsageError:
    return UsageError(f"run {path} is damaged: {reason}", hint="record it again; what is left of it is not trusted")
