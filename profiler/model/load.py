"""What load is offered, and what came of it."""

from __future__ import annotations

import msgspec


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A path with method, body and expected response."""

    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    """Sent as they are; values never reach a run file."""
    body: bytes = b""
    expect_status: int = 200
    expect_body: str | None = None
    """Text the body must contain; None accepts any body."""


class LoadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to offer: closed loop over keep-alive connections, or a rate."""

    url: str
    """http://host:port of the target."""
    endpoint: Endpoint
    connections: int = 50
    rps: float | None = None
    """Offered rate; None is a closed loop."""
    warm_up_s: float = 2.0
    """Shortest warm-up; it goes on until the request rate is steady, and says so if it never was."""
    cpus: tuple[int, ...] = ()
    """CPU set of the generator; empty leaves it free."""
    expect_length: int | None = None
    """Body length every response must have, taken from the verified first response; None where it varies."""
    deadline_s: float = 600.0
    """The generator ends by itself after this long, whatever happens."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles in milliseconds, over the measured windows."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    mean: float
    corrected: bool = False
    """True where times count from the intended start (open loop)."""


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the load over all measured windows."""

    generator: str
    version: str = ""
    loop: str = "closed"
    connections: int = 0
    requests: int
    seconds: float
    errors: dict[str, int] = {}
    """By class: connect, reset, timeout, status, body, parse."""
    bytes: int = 0
    latency_ms: Latency | None = None
    connections_opened: int = 0
    http_version: str = ""
    generator_cpu_ns: int = 0
    steady: bool = True
    warm_up_s: float = 0.0
    verdict: str = ""
    """server-bound, generator-bound, or unsure."""
    warnings: tuple[str, ...] = ()
