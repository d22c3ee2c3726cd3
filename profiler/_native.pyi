"""Types of the native core."""

from pathlib import Path
from typing import Any

__version__: str

def demangle(symbols: list[str]) -> list[tuple[str, str]]: ...
def read_perf_data(
    path: Path, *, kallsyms: bool = True, perf_maps: bool = True, threads: int | None = None
) -> dict[str, Any]: ...
def __getattr__(name: str) -> Any: ...
