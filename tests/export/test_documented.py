"""docs/formats.md names every format, schema, column and field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from synthetic import make_metadata

from profiler.cli.record_json import RECORD_SCHEMA, record_objects
from profiler.cli.show_command import SHOW_SCHEMA
from profiler.export import EXPORTERS
from profiler.model.run import RUN_SCHEMA
from profiler.runs import tables
from profiler.views.summary import Summary

TEXT = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
NAMED = set(re.findall(r"`([^`]+)`", TEXT))


@pytest.mark.parametrize("exporter", EXPORTERS, ids=lambda exporter: exporter.name)
def test_every_format_is_documented(exporter: object) -> None:
    assert {exporter.name, exporter.suffix} <= NAMED  # type: ignore[attr-defined]


def test_every_schema_and_column_is_documented() -> None:
    assert {RUN_SCHEMA, RECORD_SCHEMA, SHOW_SCHEMA} <= NAMED
    assert {*tables._FRAME_FIELDS, *tables._SAMPLE_FIELDS} <= NAMED


def test_every_field_of_the_json_objects_is_documented() -> None:
    (record,) = record_objects(make_metadata(), Path("run"))
    fields = {*record, *record["load"], *record["sampler"], *Summary.__struct_fields__} - {"schema"}
    assert fields <= NAMED, fields - NAMED
