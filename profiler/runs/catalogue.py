"""The runs on this machine: find one by what a person types, list all."""

from __future__ import annotations

from pathlib import Path

from profiler.errors import UsageError
from profiler.runs import layout
from profiler.runs.run import Run


def open_run(reference: str | None, root: Path | None = None) -> Run:
    """Open a run by path, id, unique beginning of an id, or `latest` (also where nothing is named).

    Raises:
        UsageError: nothing fits, several fit, or the run is damaged.
    """
    root = layout.default_root() if root is None else root
    if reference not in (None, "latest"):
        assert reference is not None
        return Run(_find(reference, root))
    folders = _folders(root)
    if not folders:
        raise UsageError(f"no run in {root}", hint="record one: profiler record --endpoint /hello")
    return Run(folders[-1])


def list_runs(root: Path | None = None) -> tuple[list[Run], list[str]]:
    """Every readable run, oldest first, and one line for each that can't be read."""
    runs: list[Run] = []
    damaged: list[str] = []
    for folder in _folders(layout.default_root() if root is None else root):
        try:
            runs.append(Run(folder))
        except UsageError as error:
            damaged.append(error.message)
    return runs, damaged


def _find(reference: str, root: Path) -> Path:
    path = Path(reference)
    if path.exists():
        return path
    fits = [folder for folder in _folders(root) if folder.name.startswith(reference)]
    if len(fits) == 1:
        return fits[0]
    exact = [folder for folder in fits if folder.name == reference]
    if exact:
        return exact[0]
    if fits:
        names = ", ".join(folder.name for folder in fits[:5])
        raise UsageError(f"{reference!r} fits {len(fits)} runs: {names}", hint="give more of the id")
    raise UsageError(f"no run {reference!r}: neither a path nor an id in {root}", hint="`profiler runs` lists them")


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    folders = (folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    # Ids begin with the time of recording; the modification time settles runs written with --output.
    return sorted(folders, key=lambda folder: (folder.stat().st_mtime_ns, folder.name))
