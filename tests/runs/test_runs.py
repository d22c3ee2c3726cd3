"""Runs: sealed by a rename, read back unchanged, every damage named, nothing half-written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.errors import ProfilerError, UsageError
from profiler.model.frame import Frame, Language
from profiler.model.profile import Profile, Samples
from profiler.model.run import Capture, RunMetadata, TargetInfo
from profiler.runs import Run, RunWriter, list_runs, open_run
from profiler.runs.tables import read_profile, write_profile


def make_metadata(run_id: str = "r1", samplers: tuple[str, ...] = ("perf",)) -> RunMetadata:
    return RunMetadata(
        id=run_id,
        created="2026-01-01T00:00:00+00:00",
        target=TargetInfo(kind="command", name="sleep"),
        captures=tuple(Capture(sampler=name, hz=99, samples=1) for name in samplers),
    )


def make_profile(stacks: list[tuple[int, ...]], names: list[str]) -> Profile:
    count = len(stacks)
    columns = {name: np.arange(count, dtype=np.int64) for name in ("time_ns", "pid", "tid", "block", "weight_ns")}
    return Profile(
        frames=tuple(Frame(name=name, module="m", language=Language.PYTHON, line=7) for name in names),
        stacks=tuple(stacks),
        samples=Samples(stack=np.arange(count, dtype=np.int64), **columns),
        threads={(1, 2): "main"},
    )


@pytest.fixture
def sealed(tmp_path: Path) -> Run:
    writer = RunWriter.create(tmp_path / "one", "unused")
    writer.write_profile("perf", make_profile([(0, 1), (0,)], ["main", "work"]))
    return writer.seal(make_metadata())


def test_a_sealed_run_reads_back_as_written(sealed: Run) -> None:
    run = open_run(str(sealed.path))
    assert run.metadata == make_metadata()
    profile = run.profile()
    assert profile.stacks == ((0, 1), (0,))
    assert [frame.name for frame in profile.frames] == ["main", "work"]
    assert profile.threads == {(1, 2): "main"}
    assert profile.samples.weight_ns.tolist() == [0, 1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(min_size=0, max_size=12), min_size=1, max_size=6), st.data())
def test_any_profile_round_trips(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject
) -> None:
    names = [name.encode("utf-8", "ignore").decode() for name in names]
    index = st.integers(min_value=0, max_value=len(names) - 1)
    stacks = data.draw(st.lists(st.lists(index, max_size=5).map(tuple), max_size=5))
    profile = make_profile(stacks, names)
    folder = tmp_path_factory.mktemp("round")
    write_profile(folder, "s", profile)
    back = read_profile(folder, "s")
    assert (back.frames, back.stacks, back.threads) == (profile.frames, profile.stacks, profile.threads)
    assert back.samples.stack.tolist() == profile.samples.stack.tolist()


def test_only_the_owner_can_read_a_run_and_nobody_changes_it(sealed: Run) -> None:
    for path in [sealed.path, *sealed.path.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o400), path


def test_a_run_is_never_overwritten(sealed: Run) -> None:
    with pytest.raises(UsageError, match="exists already"):
        RunWriter.create(sealed.path, "unused")


def test_discard_leaves_nothing(tmp_path: Path) -> None:
    writer = RunWriter.create(tmp_path / "two", "unused")
    writer.write_profile("perf", make_profile([(0,)], ["f"]))
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    code = (
        "import os,sys,pathlib\nfrom profiler.runs import RunWriter\n"
        "RunWriter.create(pathlib.Path(sys.argv[1])/'dead','x')\nos.kill(os.getpid(),9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    RunWriter.create(tmp_path / "next", "unused").discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda run: (run / "run.json").write_bytes(b"{"), "damaged"),
        (lambda run: (run / "run.json").write_bytes(b'{"schema": 3}'), "damaged"),
        (lambda run: (run / "run.json").unlink(), "not a run"),
        (lambda run: (run / "profiles/perf/stacks.parquet").write_bytes(b"PAR1"), "damaged"),
        (lambda run: (run / "profiles/perf/frames.parquet").unlink(), "damaged"),
        (lambda run: write_profile(run, "perf", make_profile([(0, 9)], ["f"])), "damaged"),
    ],
)
def test_damage_is_one_clear_error(sealed: Run, damage: object, text: str) -> None:
    for path in sealed.path.rglob("*"):
        path.chmod(0o700)
    assert callable(damage)
    damage(sealed.path)
    with pytest.raises(UsageError, match=text):
        open_run(str(sealed.path)).profile()


def test_another_schema_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "future"
    folder.mkdir()
    future = msgspec.structs.replace(make_metadata(), schema="profiler.run/99")
    (folder / "run.json").write_bytes(msgspec.json.encode(future))
    with pytest.raises(UsageError, match=r"profiler\.run/99"):
        Run(folder)


def test_runs_are_found_by_path_id_beginning_and_latest(tmp_path: Path) -> None:
    for number, name in enumerate(("20260101-a", "20260102-b")):
        run = RunWriter.create(tmp_path / name, "unused").seal(make_metadata(name))
        os.utime(run.path, (number, number))
    assert open_run("20260101", tmp_path).metadata.id == "20260101-a"
    assert open_run(None, tmp_path).metadata.id == "20260102-b"
    with pytest.raises(UsageError, match="fits 2 runs"):
        open_run("2026", tmp_path)
    with pytest.raises(UsageError, match="no run 'x'"):
        open_run("x", tmp_path)
    (tmp_path / "20260103-c").mkdir()
    runs, damaged = list_runs(tmp_path)
    assert [run.metadata.id for run in runs] == ["20260101-a", "20260102-b"]
    assert len(damaged) == 1


def test_an_unknown_sampler_names_those_there_are(sealed: Run) -> None:
    with pytest.raises(UsageError) as caught:
        sealed.profile("austin")
    assert caught.value.hint == "it has: perf"


def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    try:
        writer = RunWriter.create(disk / "run", "unused")
        names = [f"{number}-{os.urandom(40).hex()}" for number in range(4000)]
        with pytest.raises(ProfilerError, match="No space left"):
            writer.write_profile("perf", make_profile([tuple(range(4000))], names))
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
