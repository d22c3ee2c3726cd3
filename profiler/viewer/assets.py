"""The bundled speedscope pages, read into memory."""

from __future__ import annotations

from pathlib import Path

import msgspec

from profiler.errors import ProfilerError

FOLDER = Path(__file__).parent / "speedscope"

# Only these are served; text is compressed.
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
}


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    content_type: str
    body: bytes

    @property
    def compressible(self) -> bool:
        return self.content_type.startswith(("text/", "application/json", "image/svg"))


def load_assets(folder: Path = FOLDER) -> dict[str, Asset]:
    """File name → asset.

    Raises:
        ProfilerError: speedscope's pages are not there, with the command that fetches them.
    """
    assets = {
        path.name: Asset(
            content_type=CONTENT_TYPES.get(path.suffix, "text/plain; charset=utf-8"), body=path.read_bytes()
        )
        for path in sorted(folder.glob("*"))
        if path.is_file()
    }
    if "index.html" not in assets:
        raise ProfilerError(
            f"speedscope's pages are missing from {folder}",
            hint="in a clone of the project run scripts/fetch-speedscope; an installed package has them: reinstall it",
        )
    return assets
