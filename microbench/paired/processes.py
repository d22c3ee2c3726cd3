"""Fresh interpreters, one after the other, until the estimate is as precise as asked or the budget is spent."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from microbench.paired.bodies import Null
from microbench.paired.comparison import Comparison, Replicate, compare_replicates, is_enough
from microbench.paired.options import Caches, Collector, PairedOptions
from microbench.paired.rounds import Measured, Orders
from profiler.errors import ProfilerError

PRECISE, AT_MOST, OUT_OF_TIME = "precise enough", "the most processes allowed", "the time is up"
SCRATCH = "{scratch}"
"""Stands in a command for the folder that a process has to itself, and that is gone after it."""
LINES_SHOWN = 25  # of a failed process's output


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What a fresh process finds in the file it is given: which test, what to do, and where the answer goes."""

    nodeid: str
    orders: Orders
    answer: str


def compare(
    name: str,
    command: Sequence[str],
    *,
    null: Null,
    options: PairedOptions,
    folder: Path | None = None,
    watch: Callable[[Comparison], None] = lambda comparison: None,
) -> Comparison:
    """Run `command ERRAND` again and again; each process measures the pair once.

    Args:
        name: of the pair, and with the seed what every process's order and hash seed are derived from.
        command: to which the path of the errand is appended as the last argument.
        folder: the working directory of the processes.
        watch: told after every process.

    Raises:
        ProfilerError: a process ended without an answer; the end of its output is in the hint.
    """
    replicates: list[Replicate] = []
    end = time.monotonic() + options.max_seconds
    stopped = None
    while stopped is None:
        replicates.append(_replicate(name, command, len(replicates), replicates, options, folder))
        if len(replicates) >= options.processes:
            stopped = _reason_to_stop(replicates, options, end)
        watch(compare_replicates(name, replicates, null=null, options=options, stopped=stopped or ""))
    return compare_replicates(name, replicates, null=null, options=options, stopped=stopped)


def _reason_to_stop(replicates: Sequence[Replicate], options: PairedOptions, end: float) -> str | None:
    if is_enough(replicates, options):
        return PRECISE
    if len(replicates) >= options.max_processes:
        return AT_MOST
    return OUT_OF_TIME if time.monotonic() >= end else None


def _replicate(
    name: str,
    command: Sequence[str],
    index: int,
    earlier: Sequence[Replicate],
    options: PairedOptions,
    folder: Path | None,
) -> Replicate:
    seed, hash_seed = (derive_seed(options.seed, name, index, use) for use in ("order", "hash"))
    orders = Orders(
        seed=seed,
        calls=earlier[0].measured.calls if earlier else 0,
        seconds=options.seconds,
        cold=options.cache is Caches.BOTH,
        collect_garbage=options.gc is Collector.ON,
    )
    measured = _ask_fresh_process(name, command, orders, hash_seed, folder)
    return Replicate(seed=seed, hash_seed=hash_seed, measured=measured)


def derive_seed(seed: int, name: str, index: int, use: str) -> int:
    """A 32-bit seed (PYTHONHASHSEED takes no more) that depends on all four and on nothing else."""
    digest = hashlib.sha256(f"{seed}\n{name}\n{index}\n{use}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _ask_fresh_process(
    name: str, command: Sequence[str], orders: Orders, hash_seed: int, folder: Path | None
) -> Measured:
    with tempfile.TemporaryDirectory(prefix="paired-") as scratch:
        errand, answer = Path(scratch, "errand.json"), Path(scratch, "answer.json")
        errand.write_bytes(msgspec.json.encode(Errand(nodeid=name, orders=orders, answer=str(answer))))
        # A hash seed per process, from the recorded seed: drawn anew by each process and yet repeatable.
        environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
        process = subprocess.run(
            [*(part.replace(SCRATCH, scratch) for part in command), str(errand)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if not answer.exists():
            tail = process.stdout.decode(errors="replace").splitlines()[-LINES_SHOWN:]
            raise ProfilerError(
                f"{name}: a fresh process ended with {process.returncode} before it had measured",
                hint="its last lines were:\n" + "\n".join(tail),
            )
        return msgspec.json.decode(answer.read_bytes(), type=Measured)


def python() -> list[str]:
    """This interpreter with the flags it was started with (-O, -X, -W)."""
    return [sys.executable, *subprocess._args_from_interpreter_flags()]  # type: ignore[attr-defined]
