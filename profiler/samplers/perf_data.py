"""perf.data files to a raw capture. `perf script` is not needed: the native core unwinds and names by itself."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from profiler import _native
from profiler.errors import UsageError
from profiler.model.frame import Language
from profiler.model.profile import NO_BLOCK, ModuleTraits, RawCapture, RawFrame, Samples

_LANGUAGES = {language.value: language for language in Language}


def read(path: Path, *, kallsyms: bool = True) -> RawCapture:
    """Everything a perf.data file holds, unwound and with names as found.

    Weights are nanoseconds of CPU: the event's period for a clock, an estimate (with a warning) for any other event.

    Raises:
        UsageError: the file is missing, no perf.data file, damaged beyond use, or of a kind that can't be read.
    """
    try:
        content = _native.read_perf_data(path, kallsyms=kallsyms)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        hint = "record one with: perf record -e cpu-clock --call-graph dwarf,65528 -k CLOCK_MONOTONIC"
        text = str(error)
        raise UsageError(text if str(path) in text else f"{path}: {text}", hint=hint) from error
    rows = _column(content["stack"])
    samples = Samples(
        time_ns=_column(content["time_ns"]),
        pid=_column(content["pid"]),
        tid=_column(content["tid"]),
        block=np.full(len(rows), NO_BLOCK, dtype=np.int64),
        weight_ns=_column(content["weight_ns"]),
        stack=rows,
    )
    return RawCapture(
        frames=tuple(_frame(*fields) for fields in content["frames"]),
        stacks=_stacks(content["stack_frames"], content["stack_ends"]),
        samples=samples,
        modules={
            module: ModuleTraits(language=_LANGUAGES[language], build_id=build_id, stripped=stripped)
            for module, (language, build_id, stripped) in content["modules"].items()
        },
        threads=content["threads"],
        lost=content["lost"],
        quality=content["quality"],
        warnings=tuple(content["warnings"]),
    )


def _column(data: bytes) -> npt.NDArray[np.int64]:
    return np.frombuffer(data, dtype=np.int64)


def _stacks(frames: bytes, ends: bytes) -> tuple[tuple[int, ...], ...]:
    flat = np.frombuffer(frames, dtype=np.uint32).tolist()
    edges = [0, *_column(ends).tolist()]
    return tuple(tuple(flat[start:end]) for start, end in itertools.pairwise(edges))


def _frame(
    kind: Any, name: str, module: str, file: str, line: int, inlined: bool, address: int, language: str | None
) -> RawFrame:
    return RawFrame(
        kind=kind,
        name=name,
        module=module,
        file=file,
        line=line,
        inlined=inlined,
        address=address,
        language=None if language is None else _LANGUAGES[language],
    )
