"""Response bodies: bytes copied from Python into Rust, or borrowed for as long as the response is on its way.

Before: a new buffer for every response, and the body written into it. After: the response holds a reference to the
Python object and reads its memory; Python's bytes never change.
"""

from __future__ import annotations

import hotpaths_native

from hotpaths import contract
from hotpaths.optimization import Calls, Input, Native, Optimization, Side

SIZES = (27, 1_000, 10_000, 100_000, 1_048_576)
"""Bytes: the body of `/hello`, up to the largest that the contract offers."""


def _observe(side: Side, body: bytes) -> bytes:
    return hotpaths_native.taken_body(side, body)


def _time(side: str, body: bytes, iterations: int) -> int:
    return hotpaths_native.time_native("response_bodies", side, body, iterations)


def _input(size: int) -> Input:
    return Input(name=f"{size}B", size_bytes=size, make=lambda: contract.binary_body(size))


OPTIMIZATION = Optimization(
    slug="response_bodies",
    switch="bodies",
    words=("copy", "borrow"),
    title="Response bodies",
    claim="the body was copied from Python into a buffer of Rust's for each response; "
    "now the response borrows the Python object's memory (PyBackedBytes)",
    source="Django-Bolt 0.7.0, zero-copy response bytes",
    before=hotpaths_native.copy_body,
    after=hotpaths_native.borrow_body,
    inputs=tuple(_input(size) for size in SIZES),
    equal=lambda before, after: bool(before == after),
    observe=_observe,
    frames={
        "before": ("hotpaths_native::bodies::copy_into_rust",),
        "after": ("hotpaths_native::bodies::borrow_from_python",),
    },
    calls=Calls(per_request=lambda path: 1, counters={"before": "bodies_copied", "after": "bodies_borrowed"}),
    native=Native(sides=("before", "after"), time=_time),
)
