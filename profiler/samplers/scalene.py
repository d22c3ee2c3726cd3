"""scalene: line-level CPU, memory and copy volume, from inside the server.

It has to start the program itself, and its signals reach the main thread only: it runs from the target's first moment
to its last and can't be switched between windows. On a server whose handlers run on Rust threads it sees the main
thread wait in the line that started the server; such a result is kept and marked.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from profiler.errors import SamplerError
from profiler.model.launch import Launch
from profiler.model.profile import RawCapture, Samples
from profiler.model.scalene import ScaleneLine, ScaleneSummary
from profiler.samplers.base import Missing, SamplerOptions, SamplerSession

RESULT = "scalene-raw.json"
SUMMARY = "scalene.json"

# scalene runs a script, and servers are started as modules too: this script stands between and becomes either.
# Before it writes its result, scalene imports what the profiled files import, to see which of it is native. In a parent
# of workers, which has not set the application up, such an import can raise anything, and the result would be lost.
_ENTRY = """import runpy, sys
from scalene.scalene_analysis import ScaleneAnalysis
is_native = ScaleneAnalysis.is_native
def is_native_if_it_can_be_imported(name):
    try:
        return is_native(name)
    except Exception:
        return False
ScaleneAnalysis.is_native = staticmethod(is_native_if_it_can_be_imported)
sys.argv = {argv!r}
if {module!r}:
    runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
else:
    sys.path.insert(0, {folder!r})
    runpy.run_path({script!r}, run_name="__main__")
"""

# What scalene itself would put into the environment, in JSON.
_PRELOAD = """import json
from scalene.scalene_arguments import ScaleneArguments
from scalene.scalene_preload import ScalenePreload
print(json.dumps(ScalenePreload.get_preload_environ(ScaleneArguments())))
"""

# Where more than this share of the CPU time was used by other threads than the main one, and more than this share is
# charged to one line, that line is where the main thread waits.
SUSPECT_SHARE = 0.5
SUSPECT = (
    "{share:.0%} is charged to {file}:{line}, while {outside:.0%} of the CPU time was used outside the main thread: "
    "scalene's signals reach the main thread only, not the threads of a native core, where handlers run"
)


class ScaleneSession:
    """scalene at work from the target's start to its end."""

    def __init__(self, pids: Sequence[int], folder: Path) -> None:
        self._folder = folder
        self._pid = pids[0]
        self._before = cpu_ticks(self._pid)
        self._after = self._before

    def on(self) -> None:
        """It is on all the time."""

    def off(self) -> None:
        """It is on all the time; only where the CPU time went is noted."""
        self._after = cpu_ticks(self._pid) or self._after

    def _outside(self) -> float:
        """Share of the CPU time, since the session began, that other threads than the main one used; 0 if unknown."""
        if self._before is None or self._after is None:
            return 0.0
        whole, main = (after - before for after, before in zip(self._after, self._before, strict=True))
        return 1 - main / whole if whole > 0 else 0.0

    def finish(self) -> RawCapture:
        path = self._folder / RESULT
        if not path.is_file():
            raise SamplerError(
                "scalene wrote no result when the target ended",
                hint="it writes when Python exits: a server that ends without that (os._exit) can't be profiled by it",
            )
        try:
            summary = summarise(json.loads(path.read_bytes()), self._outside())
        except (ValueError, KeyError, TypeError) as error:
            raise SamplerError(f"scalene's result can't be read: {error}") from error
        keep = self._folder / "keep"
        keep.mkdir(exist_ok=True)
        (keep / SUMMARY).write_bytes(msgspec.json.encode(summary))
        warnings = ["no stacks: its result is a table of lines (profiler show)"]
        if summary.suspect:
            warnings.insert(0, summary.suspect)
        return RawCapture(frames=(), stacks=(), samples=Samples.empty(), warnings=tuple(warnings))


class Scalene:
    """scalene in launch mode."""

    name = "scalene"
    default_hz = 100.0
    window_s = 2.5
    inside = True
    switchable = False
    distortion = "runs inside the server and traces its lines and allocations"

    def probe(self, options: SamplerOptions) -> Missing | None:
        return None  # what counts is the target's interpreter, which is known at launch

    def wrap(self, launch: Launch, options: SamplerOptions, folder: Path) -> Launch:
        if not launch.python or launch.argv[:1] != (launch.python,) or len(launch.argv) < 2:
            raise SamplerError(
                f"scalene needs a target that is started by a Python interpreter, not {launch.argv[:1]}",
                hint="use another sampler",
            )
        asked = [launch.python, "-c", _PRELOAD]
        done = subprocess.run(asked, capture_output=True, stdin=subprocess.DEVNULL, env=launch.env, check=False)
        if done.returncode:
            raise SamplerError(
                f"scalene is not installed in the target's interpreter {launch.python}",
                hint=f"{launch.python} -m pip install scalene",
            )
        # With the variables it wants already set, scalene does not start the server in a second process of its own,
        # whose end it would not wait for when it is asked to stop.
        preload: dict[str, str] = json.loads(done.stdout)
        entry = folder / "entry.py"
        entry.write_text(_entry(launch.argv[1:]))
        program = launch.folder or str(Path.cwd())
        argv = (
            launch.python, "-m", "scalene", "run", "--outfile", str(folder / RESULT), "--cpu-sampling-rate",
            f"{1 / options.hz:g}", "--program-path", program, "--no-stacks", str(entry),
        )  # fmt: skip
        return msgspec.structs.replace(launch, argv=argv, env=launch.env | preload)

    def attach(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> SamplerSession:
        return ScaleneSession(pids, folder)


def _entry(arguments: Sequence[str]) -> str:
    """A script that becomes what `python ARGUMENTS` would have been."""
    if arguments[0] == "-m":
        return _ENTRY.format(argv=list(arguments[1:]), module=arguments[1], script="", folder="")
    if arguments[0].startswith("-"):
        raise SamplerError(f"scalene can't start `python {' '.join(arguments[:2])} …`", hint="use a script or a module")
    script = Path(arguments[0])
    return _ENTRY.format(argv=list(arguments), module="", script=str(script), folder=str(script.parent))


def cpu_ticks(pid: int) -> tuple[int, int] | None:
    """CPU time of (the whole process, its main thread) in clock ticks; None when it has ended."""
    try:
        texts = [Path(f"/proc/{pid}/{part}stat").read_text() for part in ("", f"task/{pid}/")]
    except OSError:
        return None
    # The name, in parentheses, may hold anything; user and system time are the 12th and 13th field after it.
    whole, main = (sum(map(int, text.rpartition(")")[2].split()[11:13])) for text in texts)
    return whole, main


def summarise(result: dict[str, Any], outside: float) -> ScaleneSummary:
    """scalene's JSON (format of 2.x) as a table of lines.

    Args:
        outside: Share of the CPU time that other threads than the main one used.

    Raises:
        KeyError, TypeError: not scalene's format.
    """
    lines = tuple(sorted(_lines(result["files"]), key=lambda line: -line.cpu))
    suspect = ""
    if lines and outside > SUSPECT_SHARE and lines[0].cpu > SUSPECT_SHARE:
        top = lines[0]
        suspect = SUSPECT.format(share=top.cpu, file=Path(top.file).name, line=top.line, outside=outside)
    return ScaleneSummary(
        lines=lines,
        elapsed_s=float(result["elapsed_time_sec"]),
        peak_mb=float(result.get("max_footprint_mb", 0.0)),
        memory=bool(result.get("memory", False)),
        suspect=suspect,
    )


def _lines(files: dict[str, Any]) -> Iterator[ScaleneLine]:
    for name, file in files.items():
        for row in file["lines"]:
            line = ScaleneLine(
                file=name,
                line=int(row["lineno"]),
                source=str(row["line"]).strip()[:200],
                python=row["n_cpu_percent_python"] / 100,
                native=row["n_cpu_percent_c"] / 100,
                system=row["n_sys_percent"] / 100,
                allocated_mb=float(row["n_malloc_mb"]),
                peak_mb=float(row["n_peak_mb"]),
                copied_mb_per_s=float(row["n_copy_mb_s"]),
            )
            if line.cpu > 0 or line.allocated_mb > 0 or line.copied_mb_per_s > 0:
                yield line
