"""Writes a run: under a temporary name until it is whole, then renamed and never changed again."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from profiler.errors import ProfilerError, UsageError
from profiler.model.profile import Profile
from profiler.model.run import RunMetadata
from profiler.runs import layout
from profiler.runs.run import Run
from profiler.runs.tables import write_profile


class RunWriter:
    """A run being written. Either `seal` or `discard` ends it."""

    def __init__(self, folder: Path, final: Path) -> None:
        self.folder = folder
        self.final = final

    @classmethod
    def create(cls, output: Path | None, run_id: str) -> RunWriter:
        """A fresh private folder beside the place the run will have.

        Raises:
            UsageError: `output` exists already, or its parent can't be written.
        """
        final = output if output is not None else layout.default_root() / run_id
        if final.exists():
            raise UsageError(f"{final} exists already", hint="a run is never overwritten: choose another --output")
        folder = final.parent / f"{layout.UNSEALED}{os.getpid()}-{final.name}"
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            sweep(final.parent)
            folder.mkdir(mode=0o700)
            for name in (layout.LOGS, layout.ATTACHMENTS):
                (folder / name).mkdir(mode=0o700)
        except OSError as error:
            raise UsageError(
                f"can't write a run to {final.parent}: {error.strerror}", hint="choose another place with --output"
            ) from error
        return cls(folder, final)

    @property
    def logs(self) -> Path:
        return self.folder / layout.LOGS

    @property
    def attachments(self) -> Path:
        return self.folder / layout.ATTACHMENTS

    def scratch(self, name: str) -> Path:
        """A folder for a sampler's own files, by its absolute path: a target may run in another folder. It does not
        become part of the run."""
        path = self.folder / "scratch" / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path.resolve()

    def write_profile(self, sampler: str, profile: Profile) -> None:
        """Add what one sampler saw."""
        with _disk_errors(self):
            write_profile(self.folder, sampler, profile)

    def seal(self, metadata: RunMetadata) -> Run:
        """Write the metadata, make everything read-only for its owner, and give the run its name."""
        with _disk_errors(self):
            shutil.rmtree(self.folder / "scratch", ignore_errors=True)
            path = self.folder / layout.METADATA
            path.write_bytes(msgspec.json.format(msgspec.json.encode(metadata), indent=1))
            for file in self.folder.rglob("*"):
                file.chmod(0o700 if file.is_dir() else 0o400)
            _sync(path)
            self.folder.rename(self.final)
        return Run(self.final)

    def discard(self) -> None:
        """Forget the run: nothing is left on disk."""
        shutil.rmtree(self.folder, ignore_errors=True)


def sweep(root: Path) -> None:
    """Remove what a killed process left half-written under this folder."""
    for folder in root.glob(f"{layout.UNSEALED}*"):
        pid = folder.name.removeprefix(layout.UNSEALED).split("-", 1)[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _disk_errors(writer: RunWriter) -> Iterator[None]:
    """A write that fails (full disk, lost permission) discards the run and says so in one line."""
    try:
        yield
    except OSError as error:
        writer.discard()
        raise ProfilerError(
            f"the run could not be written to {writer.final}: {error.strerror or error}",
            hint="free space or choose another place with --output; nothing half-written was left",
        ) from error


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
