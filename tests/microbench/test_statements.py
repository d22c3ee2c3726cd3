"""`python -m microbench.paired`, and the table's way with numbers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from microbench.paired.table import nanoseconds, short_name, short_names


def paired(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "microbench.paired",
        "--processes",
        "2",
        "--seconds",
        "0.002",
        "--max-seconds",
        "0.1",
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_pair_of_statements() -> None:
    done = paired("--setup", "x = list(range(1000))", "--before", "sorted(x)", "--after", "len(x)", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert "seed 3" in done.stdout
    assert "hot" in done.stdout and "cold" in done.stdout


def test_a_statement_that_is_no_python_is_said_in_a_line() -> None:
    done = paired("--before", "1 +", "--after", "1")
    assert done.returncode != 0
    assert "no Python" in done.stderr
    assert "subprocess" not in done.stderr


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1234.567, 0.4, "1,234.57"),
        (1234.567, 30.0, "1,235"),
        (0.01234, 0.004, "0.012"),
        (-0.0001, 0.01, "0.000"),
        (5.0, float("inf"), "5"),
    ],
)
def test_digits_are_those_that_the_error_leaves(value: float, error: float, text: str) -> None:
    assert nanoseconds(value, error) == text


def test_names() -> None:
    assert short_name("a/test_b.py::test_pair[logging-x::y]") == "logging-x::y"
    assert short_name("a/test_b.py::TestC::test_d") == "test_d"
    alike = ["a.py::test_x[1]", "a.py::test_y[1]", "a.py::test_y[2]"]
    assert list(short_names(alike).values()) == ["a.py::test_x[1]", "a.py::test_y[1]", "2"]
