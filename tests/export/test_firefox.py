"""Firefox Profiler's processed format: the rules its importer relies on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from decoded import firefox_stack
from synthetic import make_metadata, make_profile

from profiler.export.firefox import FirefoxExporter
from profiler.views.picture import Choice, make_picture

# Columns by table, as the format's version 70 has them.
SHARED = {
    "stackTable": {"frame", "prefixOffset"},
    "frameTable": {
        "address", "lib", "inlineDepth", "category", "subcategory", "func", "nativeSymbol", "innerWindowID", "line",
        "column", "originalLocation",
    },
    "funcTable": {
        "name", "isJS", "relevantForJS", "resource", "source", "lineNumber", "columnNumber", "originalLocation",
    },
    "resourceTable": {"name", "host", "type"},
    "nativeSymbols": {"libIndex", "address", "name", "functionSize"},
    "sources": {"id", "filename", "startLine", "startColumn", "sourceMapURL", "content"},
    "sourceLocationTable": {"source", "line", "column"},
}  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    picture = make_picture(make_profile(), make_metadata(), "perf", Choice(by_line=True))
    return json.loads(FirefoxExporter().encode(picture))  # type: ignore[no-any-return]


def test_tables_have_their_columns_and_these_one_length(document: dict[str, Any]) -> None:
    shared = document["shared"]
    assert set(shared) == {*SHARED, "stringArray"}
    for name, columns in SHARED.items():
        table = shared[name]
        assert set(table) == {*columns, "length"}, name
        assert {len(table[column]) for column in columns} == {table["length"]}, name
    for thread in document["threads"]:
        for table in (thread["samples"], thread["markers"]):
            assert {len(column) for column in table.values() if isinstance(column, list)} == {table["length"]}


def test_parents_come_first_and_indices_stay_inside(document: dict[str, Any]) -> None:
    shared = document["shared"]
    stacks = shared["stackTable"]
    for node, offset in enumerate(stacks["prefixOffset"]):
        assert 0 <= offset <= node
    for table, column, target in (
        ("stackTable", "frame", shared["frameTable"]["length"]),
        ("frameTable", "func", shared["funcTable"]["length"]),
        ("frameTable", "category", len(document["meta"]["categories"])),
        ("funcTable", "name", len(shared["stringArray"])),
        ("funcTable", "resource", shared["resourceTable"]["length"]),
        ("resourceTable", "name", len(shared["stringArray"])),
        ("sources", "filename", len(shared["stringArray"])),
    ):
        assert all(0 <= index < target for index in shared[table][column]), (table, column)
    assert len(set(shared["stringArray"])) == len(shared["stringArray"])


def test_one_thread_per_pid_and_tid_with_samples_in_order_of_time(document: dict[str, Any]) -> None:
    threads = document["threads"]
    assert [(thread["pid"], thread["tid"]) for thread in threads] == [
        ("100", 100),
        ("100", 101),
        ("200", 200),
        ("100", 102),
    ]
    assert [thread["isMainThread"] for thread in threads] == [True, False, True, False]
    for thread in threads:
        assert all(delta >= 0 for delta in thread["samples"]["timeDeltas"])
        assert thread["samples"]["weightType"] == "tracing-ms"
        assert sum(thread["samples"]["threadCPUDelta"]) == pytest.approx(1e6 * sum(thread["samples"]["weight"]))
    # The last sample of the first thread lies 3 ms into its block, 250 ms × 2 after the first block's first sample.
    assert sum(threads[0]["samples"]["timeDeltas"]) == pytest.approx(503)


def test_categories_are_languages_and_one_is_grey(document: dict[str, Any]) -> None:
    categories = document["meta"]["categories"]
    assert next(category for category in categories if category["color"] == "grey")["name"] == "unknown"
    assert all(category["subcategories"] for category in categories)
    shared = document["shared"]
    kernel = [
        categories[shared["frameTable"]["category"][frame]]["name"]
        for node, frame in enumerate(shared["stackTable"]["frame"])
        if firefox_stack(document, node)[-1] == "sys_sendto"
    ]
    assert kernel == ["kernel"]


def test_a_restarted_worker_is_marked_on_the_time_axis(document: dict[str, Any]) -> None:
    markers = document["threads"][0]["markers"]
    assert [document["shared"]["stringArray"][name] for name in markers["name"]] == ["worker 12 exited"]
    assert markers["startTime"] == [pytest.approx(500)]


def test_it_says_what_it_is(document: dict[str, Any]) -> None:
    meta = document["meta"]
    assert meta["preprocessedProfileVersion"] == 70
    assert meta["product"] == "django-bolt testapp · GET /hello · perf 499 Hz"
    assert meta["interval"] == pytest.approx(1000 / 499)
    assert any("88.9%" in entry["value"] for entry in meta["extra"][0]["entries"])
