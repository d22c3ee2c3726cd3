"""Argument values: what is accepted, and that a refusal names the value."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.cli import arguments


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (arguments.cpu_set, "none", ()),
        (arguments.cpu_set, "0", (0,)),
        (arguments.cpu_set, "0-0", (0,)),
        (arguments.header, "Accept: a:b", ("Accept", "a:b")),
        (arguments.expectation, "404", (404, None)),
        (arguments.expectation, "200:ok", (200, "ok")),
        (arguments.expectation, "hello: x", (200, "hello: x")),
        (arguments.endpoint_path, "/a?b=c", "/a?b=c"),
        (arguments.body, "x", b"x"),
        (arguments.positive, "0.5", 0.5),
        (arguments.count, "7", 7),
    ],
)
def test_accepted(parse: Callable[[str], object], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (arguments.cpu_set, "a"),
        (arguments.cpu_set, "4095"),
        (arguments.cpu_set, ""),
        (arguments.header, "NoColon"),
        (arguments.header, "A: b\r\nInjected: yes"),
        (arguments.endpoint_path, "hello"),
        (arguments.endpoint_path, "/a b"),
        (arguments.body, "@/nowhere/at/all"),
        (arguments.positive, "-1"),
        (arguments.positive, "nan"),
        (arguments.count, "0"),
        (arguments.count, "1.5"),
    ],
)
def test_refused_with_the_value(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse(text)
    assert text.removeprefix("@").split("\r")[0] in str(caught.value)


def test_a_body_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"\x00\xff")
    assert arguments.body(f"@{tmp_path / 'b'}") == b"\x00\xff"
