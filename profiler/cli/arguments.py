"""Parsers of single argument values, shared by the commands. Each raises `argparse.ArgumentTypeError` with the fix."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def cpu_set(text: str) -> tuple[int, ...]:
    """`0`, `0-2,5`, or `none` for no pinning."""
    if text == "none":
        return ()
    cpus: set[int] = set()
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            cpus.update(range(int(first), int(last or first) + 1))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of CPUs such as 0-2,5") from None
    usable = os.sched_getaffinity(0)
    if not cpus or not cpus <= usable:
        raise argparse.ArgumentTypeError(f"{text!r} names CPUs outside the usable ones: {sorted(usable)}")
    return tuple(sorted(cpus))


def header(text: str) -> tuple[str, str]:
    """`Name: value`."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or any(character in text for character in "\r\n"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a header such as 'Accept: application/json'")
    return name.strip(), value.strip()


def body(text: str) -> bytes:
    """The text itself, or `@FILE` for a file's bytes."""
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"body file {text[1:]}: {error.strerror}") from None


def expectation(text: str) -> tuple[int, str | None]:
    """`STATUS`, `TEXT`, or `STATUS:TEXT` → (status, text the body must contain)."""
    status, colon, rest = text.partition(":")
    if len(status) == 3 and status.isdigit():
        return int(status), rest if colon else None
    return 200, text


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def count(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 100000")
    return int(text)


def process_id(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a process id")
    return int(text)


def endpoint_path(text: str) -> str:
    if not text.startswith("/") or any(character.isspace() for character in text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a path: it begins with / and holds no spaces")
    return text
