"""`profiler import`: another tool's capture becomes a run, which show, open, export and diff take like any other; or,
with `--to`, a picture in one more format and no run."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
from pathlib import Path

import numpy as np

from profiler.cli.choice import add_choice, read_choice
from profiler.cli.console import print_json, result_console, status_console
from profiler.cli.output_file import check_output, write_output
from profiler.errors import UsageError
from profiler.export import FORMATS as PICTURES
from profiler.export import find_exporter
from profiler.model.profile import Profile, RawCapture
from profiler.model.run import Capture, RunMetadata, TargetInfo
from profiler.model.versions import describe_versions
from profiler.samplers import perf_data
from profiler.stacks import build_profile
from profiler.stacks.folded import parse_folded
from profiler.stacks.pyspy_raw import parse_pyspy_raw
from profiler.stacks.shares import language_shares
from profiler.stacks.speedscope_json import parse_speedscope
from profiler.views.picture import Choice, make_picture

FORMATS = ("perf", "speedscope", "py-spy", "folded")
PY_SPY_HZ = 100.0
# Text files beyond this are no collapsed stacks.
MAX_TEXT_BYTES = 1 << 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    file: Path
    format: str | None
    """None: told by the file's content."""
    rate: float | None
    output: Path | None
    """Folder of the run, or file of the picture."""
    roots: tuple[str, ...]
    picture: str | None
    """Format of the picture that is written instead of a run."""
    choice: Choice
    json: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="perf.data, folded stacks, speedscope JSON or py-spy's raw format")
    parser.add_argument("--format", choices=FORMATS, help="what the file is (default: told by its content)")
    parser.add_argument("--rate", type=float, metavar="HZ", help="samples per second, where weights count samples")
    parser.add_argument("--root", action="append", default=[], help="project folder that Python files are named from")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="PATH",
        help="folder of the run (default .profiler/runs/ID); with --to the file (default: standard output)",
    )  # fmt: skip
    parser.add_argument("--to", choices=PICTURES, metavar="FORMAT", help=f"keep no run, write: {', '.join(PICTURES)}")
    add_choice(parser, fold=False)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(namespace: argparse.Namespace) -> int:
    options = ImportOptions(
        file=namespace.file,
        format=namespace.format,
        rate=namespace.rate,
        output=namespace.output,
        roots=tuple(str(Path(root).resolve()) for root in namespace.root),
        picture=namespace.to,
        choice=read_choice(namespace, by_line=namespace.to is not None and find_exporter(namespace.to).by_line),
        json=namespace.json,
    )
    if options.picture is not None:
        check_output(options.output, options.picture, as_json=options.json)
    elif options.choice != Choice():
        raise UsageError("--fold, --thread and --process say what a picture shows", hint="add --to FORMAT")
    if options.rate is not None and not 0 < options.rate <= 1e6:
        raise UsageError(f"--rate {options.rate:g} is no sampling rate", hint="give samples per second, such as 100")
    form = options.format or detect_format(options.file)
    raw = read_foreign(options.file, form, options.rate)
    if not len(raw.samples):
        raise UsageError(f"{options.file} holds no sample")
    profile = build_profile(raw, roots=options.roots)
    metadata = describe(options, form, raw, profile)
    if options.picture is not None:
        _warn(metadata)
        picture = make_picture(profile, metadata, form, options.choice)
        write_output(find_exporter(options.picture).encode(picture), options.output, as_json=options.json)
        return 0
    _report(options, metadata, _keep(options, metadata, profile))
    return 0


def _keep(options: ImportOptions, metadata: RunMetadata, profile: Profile) -> Path:
    """Write the run; where it is."""
    from profiler.runs import RunWriter  # with its tables it takes longer to load than a picture takes to draw

    writer = RunWriter.create(options.output, metadata.id)
    try:
        writer.write_profile(metadata.captures[0].sampler, profile)
        return writer.seal(metadata).path
    except BaseException:
        writer.discard()
        raise


def detect_format(path: Path) -> str:
    """What a file is, by its first bytes.

    Raises:
        UsageError: it can't be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(65_536)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    if head.startswith((b"PERFILE2", b"2ELIFREP")):
        return "perf"
    if head.lstrip().startswith(b"{"):
        return "speedscope"
    line = head.split(b"\n", 1)[0]
    return "py-spy" if b".py:" in line or b"process " in line[:20] else "folded"


def read_foreign(path: Path, form: str, rate: float | None) -> RawCapture:
    """The file's capture; weights are nanoseconds.

    Raises:
        UsageError: it is not what it was taken for, or damaged.
    """
    if form == "perf":
        return perf_data.read(path)
    data = _read_bounded(path)
    if form == "speedscope":
        return parse_speedscope(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text: {error.reason} at byte {error.start}") from error
    if form == "py-spy":
        return _counted(parse_pyspy_raw(text), rate or PY_SPY_HZ, "" if rate else "py-spy's default rate of 100 Hz")
    if rate is not None:
        return parse_folded(text, unit_ns=1e9 / rate)
    capture = parse_folded(text)
    note = "weights of folded stacks have no unit: they are taken as nanoseconds; where they count samples, give --rate"
    return dataclasses.replace(capture, warnings=(note,))


def _counted(raw: RawCapture, rate: float, assumed: str) -> RawCapture:
    weight = np.round(raw.samples.weight_ns * (1e9 / rate)).astype(np.int64)
    warnings = (f"weights count samples; {assumed} is assumed, --rate says otherwise",) if assumed else ()
    return dataclasses.replace(raw, samples=dataclasses.replace(raw.samples, weight_ns=weight), warnings=warnings)


def _read_bounded(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise UsageError(f"{path} is larger than {MAX_TEXT_BYTES >> 30} GiB", hint="collapse it first")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error


def describe(options: ImportOptions, form: str, raw: RawCapture, profile: Profile) -> RunMetadata:
    """Metadata of the run: it has stacks, and neither load nor blocks."""
    now = datetime.datetime.now(datetime.UTC)
    everything = dataclasses.replace(profile.samples, block=np.zeros(len(profile.samples), dtype=np.int64))
    capture = Capture(
        sampler=form,
        version=raw.version,
        hz=options.rate or (PY_SPY_HZ if form == "py-spy" else 0.0),
        samples=len(raw.samples),
        lost=raw.lost,
        quality=raw.quality,
        languages=language_shares(dataclasses.replace(profile, samples=everything)),
        sampled_cpu_ns=int(raw.samples.weight_ns.sum()),
        warnings=raw.warnings,
    )
    return RunMetadata(
        id=f"{now:%Y%m%d-%H%M%S}-import-{_slug(options.file.stem)}",
        created=now.isoformat(timespec="seconds"),
        target=TargetInfo(kind="import", name=options.file.name),
        captures=(capture,),
        versions=describe_versions(),
        warnings=tuple(f"{form}: {warning}" for warning in raw.warnings),
    )


def _slug(name: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in name.lower())[:32].strip("-") or "file"


def _report(options: ImportOptions, metadata: RunMetadata, path: Path) -> None:
    capture = metadata.captures[0]
    if options.json:
        print_json(
            {
                "schema": "profiler.import/1",
                "run": str(path),
                "format": capture.sampler,
                "samples": capture.samples,
                "lost": capture.lost,
                "quality": capture.quality,
                "languages": capture.languages,
                "warnings": metadata.warnings,
            }
        )
        return
    _warn(metadata)
    seconds = capture.sampled_cpu_ns / 1e9
    result_console().print(f"{path}  {capture.samples} samples, {seconds:.3f} s of CPU", markup=False)
    status_console().print(f"see it: profiler show {path}", markup=False)


def _warn(metadata: RunMetadata) -> None:
    for warning in metadata.warnings:
        status_console().print(f"warning: {warning}", style="yellow", markup=False)
