"""The pprof file, read by Go's own tool."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from synthetic import make_metadata, make_profile

from profiler.export import pprof
from profiler.export.pprof import PprofExporter
from profiler.export.pprof_schema import profile_message
from profiler.views.picture import Choice, make_picture


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pprof") / "run.pb.gz"
    path.write_bytes(encoded())
    return path


def encoded() -> bytes:
    return PprofExporter().encode(make_picture(make_profile(), make_metadata(), "perf", Choice(by_line=True)))


def tool(file: Path, *arguments: str) -> str:
    go = shutil.which("go") or "/usr/local/go/bin/go"
    environment = {**os.environ, "PPROF_TMPDIR": str(file.parent)}
    done = subprocess.run(
        [go, "tool", "pprof", *arguments, str(file)], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout


def test_gos_tool_reads_totals_and_functions(file: Path) -> None:
    top = tool(file, "-top")
    assert "Total samples = 24ms" in top
    rows = {line.split()[5]: line.split() for line in top.splitlines() if line.endswith(("hello", "_start"))}
    assert rows["hello"][0::3][:2] == ["6ms", "10ms"]
    assert rows["_start"][0::3][:2] == ["0", "18ms"]
    assert "django-bolt testapp · GET /hello · perf 499 Hz" in top


def test_gos_tool_sees_inlined_functions_and_labels(file: Path) -> None:
    assert "server::write (inline)" in tool(file, "-top")
    tags = tool(file, "-tags")
    assert "worker;1 100/101" in tags
    assert "kernel" in tags
    assert "block: Total" in tags
    assert "Total samples = 10" in tool(file, "-top", "-sample_index=samples")


def test_an_inlined_function_shares_the_location_of_its_caller() -> None:
    profile = profile_message().FromString(gzip.decompress(encoded()))
    text = list(profile.string_table)
    functions = {function.id: text[function.name] for function in profile.function}
    lines = [[functions[line.function_id] for line in location.line] for location in profile.location]
    assert ["server::write", "server::handle<T; N>"] in lines
    assert text[0] == ""


def test_many_blocks_are_left_out_of_the_labels_and_a_comment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pprof, "MAX_ROWS", 5)
    profile = profile_message().FromString(gzip.decompress(encoded()))
    text = list(profile.string_table)
    assert "block" not in text
    assert any("no label for their block" in text[comment] for comment in profile.comment)
    assert sum(sample.value[1] for sample in profile.sample) == 24_000_000
