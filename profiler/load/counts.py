"""Reports of the core → the model's counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from profiler.model.block import BlockCount, EndpointCount


def block_count(block: Mapping[str, Any]) -> BlockCount:
    """One block as the core reports it."""
    endpoints = tuple(
        EndpointCount(
            offered=endpoint["offered"],
            requests=endpoint["requests"],
            bytes=endpoint["bytes"],
            errors=nonzero(endpoint["errors"]),
            uncorrected=endpoint["uncorrected"],
            corrected=endpoint["corrected"] or "",
        )
        for endpoint in block["endpoints"]
    )
    return BlockCount(
        requests=sum(endpoint.requests for endpoint in endpoints),
        errors=sum(sum(endpoint.errors.values()) for endpoint in endpoints),
        bytes=sum(endpoint.bytes for endpoint in endpoints),
        offered=sum(endpoint.offered for endpoint in endpoints),
        in_flight=block["in_flight"],
        depth=block["depth"],
        opened=block["opened"],
        generator_cpu_ns=block["cpu_ns"],
        generator_wait_ns=block["wait_ns"],
        lag=block["lag"],
        endpoints=endpoints,
    )


def nonzero(errors: Mapping[str, int]) -> dict[str, int]:
    """Only the classes that occurred."""
    return {name: count for name, count in errors.items() if count}


def add_errors(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)
