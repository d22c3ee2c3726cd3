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
_ENTRY = """import runpy, sys
sys.argv = {argv!r}
if {module!r}:
    runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
else:
    sys.path.insert(0, {folder!r})
    runpy.run_path({script!r}, run_name="__main__")
"""

# One line with more than this share is no distribution: the main thread sits in it while others work.
SUSPECT_SHARE = 0.80
SUSPECT = (
    "{share:.0%} is charged to {file}:{line}, where the main thread waits: scalene's signals do not reach the threads "
    "of the server's native core, where the handlers run"
)


class ScaleneSession:
    """scalene at work from the target's start to its end."""

    def __init__(self, options: SamplerOptions, folder: Path) -> None:
        self._folder = folder
        self._hz = options.hz

    def on(self) -> None:
        """It is on all the time."""

    def off(self) -> None:
        """It is on all the time."""

    def finish(self) -> RawCapture:
        path = self._folder / RESULT
        if not path.is_file():
            raise SamplerError(
                "scalene wrote no result when the target ended",
                hint="it writes when Python exits: a server that ends without that (os._exit) can't be profiled by it",
            )
        try:
            summary = summarise(json.loads(path.read_bytes()))
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
        asked = [launch.python, "-c", "import scalene"]
        if subprocess.run(asked, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode:
            raise SamplerError(
                f"scalene is not installed in the target's interpreter {launch.python}",
                hint=f"{launch.python} -m pip install scalene",
            )
        entry = folder / "entry.py"
        entry.write_text(_entry(launch.argv[1:]))
        program = launch.folder or str(Path.cwd())
        argv = (
            launch.python, "-m", "scalene", "run", "--outfile", str(folder / RESULT), "--cpu-sampling-rate",
            f"{1 / options.hz:g}", "--program-path", program, "--no-stacks", str(entry),
        )  # fmt: skip
        return msgspec.structs.replace(launch, argv=argv)

    def attach(self, pids: Sequence[int], options: SamplerOptions, folder: Path) -> SamplerSession:
        return ScaleneSession(options, folder)


def _entry(arguments: Sequence[str]) -> str:
    """A script that becomes what `python ARGUMENTS` would have been."""
    if arguments[0] == "-m":
        return _ENTRY.format(argv=list(arguments[1:]), module=arguments[1], script="", folder="")
    if arguments[0].startswith("-"):
        raise SamplerError(f"scalene can't start `python {' '.join(arguments[:2])} …`", hint="use a script or a module")
    script = Path(arguments[0])
    return _ENTRY.format(argv=list(arguments), module="", script=str(script), folder=str(script.parent))


def summarise(result: dict[str, Any]) -> ScaleneSummary:
    """scalene's JSON (format of 2.x) as a table of lines.

    Raises:
        KeyError, TypeError: not scalene's format.
    """
    lines = tuple(sorted(_lines(result["files"]), key=lambda line: -line.cpu))
    suspect = ""
    if lines and lines[0].cpu > SUSPECT_SHARE and "scalene" not in lines[0].file:
        suspect = SUSPECT.format(share=lines[0].cpu, file=Path(lines[0].file).name, line=lines[0].line)
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
