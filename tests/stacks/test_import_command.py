"""`profiler import` on files as tools write them: a run that show and export take, or one line and nothing on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from native_programs import build_c, record

from profiler.cli import main
from profiler.runs import open_run


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("import")
    return record([str(build_c(folder, cpu_ms=100))], folder / "perf.data")


def imported(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    capsys.readouterr()
    assert main(["import", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_recording_survives_import_export_and_import(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = imported(capsys, str(recording), "-o", str(tmp_path / "first"))
    assert first["format"] == "perf"
    assert first["samples"] > 50
    languages = first["languages"]
    assert isinstance(languages, dict)
    assert abs(sum(languages.values()) - 1) < 1e-9
    totals = [_sampled_ns(tmp_path / "first")]
    for form, suffix in (("folded", "folded"), ("speedscope", "json")):
        file = tmp_path / f"export.{suffix}"
        assert main(["export", str(tmp_path / "first"), "--format", form, "-o", str(file)]) == 0
        again = imported(capsys, str(file), "-o", str(tmp_path / form))
        assert again["format"] == form
        totals.append(_sampled_ns(tmp_path / form))
        profile = open_run(str(tmp_path / form)).profile()
        assert {"recurse", "middle", "leaf_function", "inlined_loop"} <= {frame.name for frame in profile.frames}
    assert totals == [totals[0]] * 3
    speedscope = open_run(str(tmp_path / "speedscope")).metadata.captures[0].languages
    assert speedscope == pytest.approx(languages)


def test_a_picture_is_written_without_a_run_and_is_the_one_of_the_run(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    imported(capsys, str(recording), "-o", str(tmp_path / "run"))
    for form in ("folded", "speedscope", "pprof", "svg"):
        picture, exported = tmp_path / f"picture.{form}", tmp_path / f"exported.{form}"
        assert main(["import", str(recording), "--to", form, "-o", str(picture)]) == 0
        assert main(["export", str(tmp_path / "run"), "--format", form, "-o", str(exported)]) == 0
        if form == "folded":
            assert picture.read_bytes() == exported.read_bytes()
        elif form == "speedscope":  # names hold the run's id, which is the time
            one, other = (json.loads(path.read_bytes()) for path in (picture, exported))
            assert one["shared"] == other["shared"]
            assert [profile["weights"] for profile in one["profiles"]] == [
                profile["weights"] for profile in other["profiles"]
            ]
        else:
            assert picture.stat().st_size > 500
    capsys.readouterr()
    assert main(["import", str(recording), "--to", "folded"]) == 0
    assert "leaf_function" in capsys.readouterr().out
    assert not (tmp_path / ".profiler").exists()


def test_what_only_a_picture_has_is_refused_for_a_run(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--fold"], ["--thread", "main"], ["--to", "folded", "--json"]):
        assert main(["import", str(recording), *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 2


def _sampled_ns(run: Path) -> int:
    return open_run(str(run)).metadata.captures[0].sampled_cpu_ns


def test_counts_become_time_by_the_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tmp_path / "spy.raw"
    raw.write_text("<module> (app.py:1);work (app.py:5) 20\n")
    assert imported(capsys, str(raw), "-o", str(tmp_path / "a"))["warnings"]
    assert _sampled_ns(tmp_path / "a") == 200_000_000
    assert not imported(capsys, str(raw), "--rate", "1000", "-o", str(tmp_path / "b"))["warnings"]
    assert _sampled_ns(tmp_path / "b") == 20_000_000
    folded = tmp_path / "stacks.folded"
    folded.write_text("main;work 20\n")
    imported(capsys, str(folded), "--rate", "50", "-o", str(tmp_path / "c"))
    assert _sampled_ns(tmp_path / "c") == 400_000_000


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        (b"PERFILE2" + b"\0" * 8, ()),
        (b"", ()),
        (b"{}", ()),
        (b"a;b\n", ()),
        (b"\xff\xfe binary", ()),
        (b"a;b 1\n", ("--format", "perf")),
        (b"a;b 1\n", ("--rate", "0")),
        (b"a;b 1\n", ("--rate", "nan")),
    ],
)
def test_a_wrong_file_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, arguments: tuple[str, ...]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert main(["import", str(file), "-o", str(tmp_path / "run"), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("profiler: ")
    assert "Traceback" not in printed.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(tmp_path / "none")]) == 2
    assert "can't be read" in capsys.readouterr().err
