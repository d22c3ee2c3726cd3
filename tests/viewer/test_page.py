"""The page without a server, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chromium import chromium, complaints, imported_by_speedscope, requested

from profiler.errors import UsageError
from profiler.viewer import write_page

PROFILE = {
    "$schema": "https://www.speedscope.app/file-format-schema.json",
    "shared": {"frames": [{"name": "serve"}, {"name": "hello = & world"}]},
    "profiles": [
        {"type": "sampled", "name": "p", "unit": "nanoseconds", "startValue": 0, "endValue": 10,
         "samples": [[0, 1]], "weights": [10]},
    ],
}  # fmt: skip


def test_speedscope_opens_the_page_without_any_server(tmp_path: Path) -> None:
    folder = tmp_path / "odd = & name"
    folder.mkdir()
    url = write_page(json.dumps(PROFILE).encode(), folder / "run.speedscope.js")
    with chromium(tmp_path) as browser:
        browser.get(url)
        imported = imported_by_speedscope(browser)
        asked = requested(browser)
        assert complaints(browser) == []
    assert [frame["name"] for frame in imported["shared"]["frames"]] == ["serve", "hello = & world"]
    assert not [entry for entry in asked if entry.startswith("http")]


def test_only_the_owner_can_read_it_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    write_page(b"{}", tmp_path / "a.js")
    assert (tmp_path / "a.js").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="can't write"):
        write_page(b"{}", tmp_path / "missing" / "b.js")
    assert [path.name for path in tmp_path.iterdir()] == ["a.js"]
