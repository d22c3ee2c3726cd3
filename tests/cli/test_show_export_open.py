"""`profiler show`, `export` and `open` as a person runs them."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import io
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from chromium import until
from decoded import decode
from synthetic import MS, make_metadata, make_profile

from profiler.cli import main
from profiler.export import FORMATS
from profiler.model.estimate import Estimate
from profiler.model.profile import Profile, Samples
from profiler.model.run import Capture, RunMetadata, RunState
from profiler.model.scalene import ScaleneLine, ScaleneSummary
from profiler.runs import RunWriter

PLAIN = {
    key: value for key, value in os.environ.items() if key not in ("COLUMNS", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
}


def written(folder: Path, metadata: RunMetadata, samplers: tuple[str, ...] = ("perf",)) -> Path:
    writer = RunWriter.create(folder, metadata.id)
    for sampler in samplers:
        writer.write_profile(sampler, make_profile())
    return writer.seal(metadata).path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    metadata = make_metadata(distorted="slower calls")
    warned = msgspec.structs.replace(metadata, warnings=("the load was not steady",), untrusted=("the clock jumped",))
    return written(tmp_path_factory.mktemp("runs") / "one", warned)


def profiler(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command as it is; a process of its own only where the environment matters, since starting one is dear."""
    words = [str(argument) for argument in arguments]
    if environment:
        return subprocess.run(
            [sys.executable, "-m", "profiler", *words], capture_output=True, env={**PLAIN, **environment}
        )
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setenv("COLUMNS", "80")
        try:
            code = main(words)
        except SystemExit as end:
            code = int(end.code or 0)
    streams = [stream.buffer.getvalue() for stream in (out, err)]  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(words, code, *streams)


def output(*arguments: str | Path, **environment: str) -> str:
    done = profiler(*arguments, **environment)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_show_fits_80_columns_without_colour_when_piped(run: Path) -> None:
    text = output("show", run, TERM="xterm-256color")
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    for part in (
        "django-bolt testapp · GET /hello · perf 499 Hz",
        "18.00 [17.50, 18.50] µs per request",
        "16.00 µs of CPU per request over 1,500 requests by perf",
        "2,000 [1,950, 2,050] requests/s",
        "sampled / measured CPU 88.9% [80.0, 95.0]",
        "sampling cost +1.2%",
        "distorted: slower calls",
        "truncated 1.0%",
        "worker 12 exited",
        "HTTP/1.1",
        "not to be trusted: the clock jumped",
        "warning: the load was not steady",
    ):
        assert part in text


def test_show_lists_self_and_total_time_and_the_heaviest_path(run: Path) -> None:
    lines = output("show", run, "--no-fold", "--top", "3").splitlines()
    own = lines[lines.index("self time, µs per request  where the time is spent") + 1 :]
    assert own[0].split() == ["4.00", "±9.94", "25.0%", "hello", "app/views.py", "total", "6.67"]
    total = lines[lines.index("total time, µs per request  in the function and all it calls") + 1 :]
    assert total[0].split()[2:4] == ["75.0%", "_start"]
    assert total[3] == "", "three rows"
    path = lines[lines.index("heaviest path, µs per request") + 1 :]
    assert [line.split()[2] for line in path[:3]] == ["_start", "_PyEval_EvalFrameDefault", "hello"]


def test_the_language_bar_is_as_wide_as_the_screen_and_in_proportion(run: Path) -> None:
    (bar,) = (line for line in output("show", run, COLUMNS="64").splitlines() if line.startswith("  ppp"))
    assert (bar.count("p"), bar.count("r"), bar.count("k"), len(bar)) == (15, 15, 10, 62)


def test_show_as_json_is_one_object_with_estimates(run: Path) -> None:
    document = json.loads(output("show", run, "--json", "--top", "2"))
    assert document["schema"] == "profiler.show/1"
    assert document["metadata"]["id"] == "20261121-120000-testapp"
    first = document["summary"]["by_self"][0]
    assert first["frame"]["name"] == "hello"
    assert set(first["self_time"]) == {"value", "low", "high", "n", "unit", "warnings"}
    assert sum(entry["share"] for entry in document["summary"]["languages"]) == pytest.approx(1)


def test_show_can_choose_a_thread_and_folds_by_default(run: Path) -> None:
    assert "memcpy" not in output("show", run, "--thread", "101")
    assert "tokio" not in output("show", run, "--thread", "101")
    assert "tokio" in output("show", run, "--thread", "101", "--no-fold")


def test_a_run_without_stacks_is_shown_with_its_figures(tmp_path: Path) -> None:
    bare = written(tmp_path / "bare", msgspec.structs.replace(make_metadata(), captures=()), ())
    text = output("show", bare)
    assert "18.00 [17.50, 18.50] µs per request" in text
    assert "none: no stacks were taken" in text
    assert json.loads(output("show", bare, "--json"))["summary"] is None
    for command in ("export", "open"):
        done = profiler(command, bare)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"has no stacks: it was recorded without a sampler" in done.stderr


def test_a_run_without_load_is_in_seconds_per_second(tmp_path: Path) -> None:
    metadata = msgspec.structs.replace(
        make_metadata(requests=0), cpu=Estimate(value=0.5, low=0.4, high=0.6, n=3, unit="CPU seconds per second")
    )
    text = output("show", written(tmp_path / "idle", metadata))
    assert "0.5000 [0.4000, 0.6000] CPU seconds per second" in text
    assert "self time, CPU seconds per second" in text


def test_a_partial_run_and_several_samplers_are_named(tmp_path: Path) -> None:
    metadata = make_metadata()
    other = msgspec.structs.replace(metadata.captures[0], sampler="py-spy", hz=100.0)
    both = msgspec.structs.replace(metadata, captures=(*metadata.captures, other), state=RunState.PARTIAL)
    text = output("show", written(tmp_path / "both", both, ("perf", "py-spy")), "--sampler", "py-spy")
    assert "partial run" in text
    assert "perf 499 Hz" not in text.splitlines()[0]
    assert "py-spy 100 Hz" in text.splitlines()[0]
    assert "(shown)" in text
    assert text.count("sampling cost") == 2


@pytest.mark.parametrize("name", FORMATS)
def test_export_writes_each_format_to_standard_output_and_the_same_to_a_file(
    run: Path, name: str, tmp_path: Path
) -> None:
    done = profiler("export", run, "--format", name)
    assert (done.returncode, done.stderr) == (0, b"")
    assert profiler("export", run, "--format", name, "-o", tmp_path / "file").returncode == 0
    assert (tmp_path / "file").read_bytes() == done.stdout
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["file"], "no temporary file is left"
    if name != "svg":
        assert sum(decode(name, done.stdout).values()) == 24 * MS


def test_folded_names_are_found_by_grep(run: Path) -> None:
    text = output("export", run, "--format", "folded")
    assert "_start;tokio::runtime::task::poll;server::handle<T: N>;server::write;sys_sendto 4000000\n" in text
    assert "tokio" not in output("export", run, "--format", "folded", "--fold").replace("\ntokio", "")


def test_an_export_that_fails_leaves_nothing(run: Path, tmp_path: Path) -> None:
    for target in (tmp_path / "missing" / "file", tmp_path):
        done = profiler("export", run, "-o", target)
        assert done.returncode == 2
        assert done.stderr.startswith(b"profiler: can't write ")
        assert b"Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file_as_it_was(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    limited = f"ulimit -f 0; exec {sys.executable} -m profiler export {run} --format svg -o {target}"
    done = subprocess.run(["bash", "-c", f"trap '' XFSZ; {limited}"], capture_output=True, env=PLAIN)
    assert done.returncode == 2, done.stderr
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nowhere"], "no run 'nowhere'"),
        (["show", "{run}", "--sampler", "dtrace"], "has no stacks of 'dtrace'"),
        (["show", "{run}", "--process", "9"], "no sample of process 9"),
        (["export", "{run}", "--json"], "--json needs -o FILE"),
        (["open", "{run}", "--thread", "nobody"], "no sample of a thread 'nobody'"),
    ],
)
def test_wrong_use_is_one_line_with_a_hint(run: Path, arguments: list[str], message: str, tmp_path: Path) -> None:
    done = profiler(*(argument.replace("{run}", str(run)) for argument in arguments))
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 2
    assert message in lines[0]
    assert len(lines) == 2
    assert lines[1].startswith("hint: ")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_open_serves_until_it_is_interrupted(run: Path, end: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "profiler", "open", str(run)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=PLAIN
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        parts = urlsplit(url)
        assert parts.hostname == "127.0.0.1"
        assert parts.port is not None
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
        connection.request("GET", f"{parts.path}profile.speedscope.json", headers={"Accept-Encoding": "gzip"})
        body = gzip.decompress(connection.getresponse().read())
        connection.close()
        assert sum(decode("speedscope", body).values()) == 24 * MS
        process.send_signal(end)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
        assert b"Traceback" not in errors
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    until(lambda: _refused(parts.port or 0), "the port to be closed", 5)


def _refused(port: int) -> bool:
    try:
        http.client.HTTPConnection("127.0.0.1", port, timeout=1).request("GET", "/")
    except ConnectionRefusedError:
        return True
    return False


def test_open_as_json_gives_the_url(run: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "profiler", "open", str(run), "--json", "--no-browser", "--view", "sandwich"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=PLAIN,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        text = b""
        while not text.endswith(b"}\n"):
            line = process.stdout.readline()
            assert line, text
            text += line
        document = json.loads(text)
        assert document["schema"] == "profiler.open/1"
        assert document["url"].endswith("view=sandwich")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_help_lists_what_can_be_chosen() -> None:
    for command in ("show", "export", "open"):
        text = output(command, "--help")
        assert "--sampler NAME" in text
        assert "--thread NAME|TID" in text


def test_scalenes_lines_are_shown_and_its_doubtful_result_is_marked(tmp_path: Path) -> None:
    metadata = make_metadata()
    scalene = Capture(sampler="scalene", hz=100.0, samples=0)
    writer = RunWriter.create(tmp_path / "lines", metadata.id)
    writer.write_profile("scalene", Profile(frames=(), stacks=(), samples=Samples.empty()))
    summary = ScaleneSummary(
        lines=(ScaleneLine(file="/srv/manage.py", line=9, source="  main()\n", python=0.9, native=0.05, system=0.01),),
        elapsed_s=3.0, peak_mb=120.0, memory=True, suspect="96% is charged to manage.py:9",
    )  # fmt: skip
    (writer.attachments / "scalene.json").write_bytes(msgspec.json.encode(summary))
    run = writer.seal(msgspec.structs.replace(metadata, captures=(scalene,))).path
    text = output("show", run)
    assert "90.0%    5.0%    1.0%" in text
    assert "manage.py:9  main()" in text
    assert "not to be trusted: 96% is charged to manage.py:9" in text
    assert json.loads(output("show", run, "--json"))["scalene"]["peak_mb"] == 120


def test_a_terminal_without_unicode_is_served(run: Path) -> None:
    text = output("show", run, PYTHONIOENCODING="ascii")
    assert "18.00 [17.50, 18.50] ?s per request" in text


def test_a_reader_that_has_gone_is_no_error(run: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    for command in (["show"], ["export", "--format", "svg"]):
        words = [sys.executable, "-m", "profiler", command[0], str(run), *command[1:]]
        done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, env=PLAIN)
        assert (done.returncode, done.stderr) == (0, b""), command
    os.close(writer)


def test_narrow_screens_and_colour(run: Path) -> None:
    assert "\x1b[" in output("show", run, FORCE_COLOR="1", TERM="xterm-256color")
    assert "25.0%" in output("show", run, COLUMNS="30")


def test_a_long_command_is_cut_in_the_title(tmp_path: Path) -> None:
    metadata = make_metadata()
    target = msgspec.structs.replace(metadata.target, kind="attach", name="python -c " + "x = 1\n" * 100)
    text = output("show", written(tmp_path / "long", msgspec.structs.replace(metadata, target=target)))
    assert len("".join(text.splitlines()[:2])) < 160
