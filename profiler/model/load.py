"""What load is offered, and what came of it."""

from __future__ import annotations

from typing import Literal

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
    weight: float = 1.0
    """Share of the requests, relative to the other endpoints."""
    values: dict[str, tuple[str, ...]] = {}
    """What `{name}` in path and body stands for: one value after the other, with each request."""
    expect_length: int | None = None
    """Body length every response must have; None where it varies."""


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
    more: tuple[Endpoint, ...] = ()
    """Further endpoints, mixed with the first by their weights, in an order that the seed decides."""
    arrivals: Literal["constant", "poisson"] = "constant"
    """When requests of an open loop start."""
    seed: int = 0
    keep_alive: bool = True
    """False opens a connection for each request."""
    http: Literal["1.1", "1.0"] = "1.1"
    pipeline: int = 1
    """Requests in flight on one connection."""
    timeout_s: float = 10.0
    """Longest time for a connection and for a response."""
    drain_s: float = 2.0
    """How long requests in flight at the end may still be answered."""
    warm_up_limit_s: float | None = None
    """The warm-up ends after this long, steady or not; None is 10 s more than the shortest."""
    unix_socket: str | None = None
    """Path of a Unix socket to connect to; the URL then only names the host."""
    queue_limit: int = 100_000
    """Arrivals of an open loop that may wait for a connection; later ones are counted as unsent."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return (self.endpoint, *self.more)


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
    label: str = ""
    """Why these times are not to be compared, where they are not: `back-filled by wrk`, …"""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Where every request that was ever offered has gone, warm-up and drain included."""

    offered: int
    completed: int
    errors: dict[str, int] = {}
    in_flight: int = 0
    """At the end, counted from the connections and the queue."""

    @property
    def balanced(self) -> bool:
        return self.offered == self.completed + sum(self.errors.values()) + self.in_flight


class EndpointResult(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint of a mixture, over all measured windows."""

    path: str
    method: str
    requests: int
    bytes: int = 0
    errors: dict[str, int] = {}
    latency_ms: Latency | None = None
    uncorrected_ms: Latency | None = None
    histograms: dict[str, str] = {}
    """As in `LoadResult`."""


class Headroom(msgspec.Struct, frozen=True, kw_only=True):
    """How far the generator was from its own limit, over all measured windows."""

    busy: float
    """Share of the time that it was on a CPU."""
    starved: float
    """Share of the time that it was ready to run and had no CPU."""
    cpu_us_per_request: float | None
    lag_p99_ms: float | None
    """Its own delay: behind its schedule (open loop), or between an answer and its handling (closed loop)."""
    lag_mean_ms: float | None = None
    depth: float
    """Requests on the wire, averaged over time."""
    little: float | None
    """Rate × mean service time / depth; 1 where all requests are accounted for."""
    rate_ratio: float | None = None
    """Answered / offered in the windows of an open loop."""
    server_busy: float | None = None
    """CPU time of the server per CPU it may use, where the caller handed it over."""


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the load over all measured windows."""

    generator: str
    version: str = ""
    loop: str = "closed"
    connections: int = 0
    requests: int
    seconds: float
    errors: dict[str, int] = {}
    """By class: connect, reset, timeout, status, body, parse, unsent."""
    bytes: int = 0
    latency_ms: Latency | None = None
    """Corrected in an open loop; in a closed loop there is no schedule to correct to."""
    connections_opened: int = 0
    http_version: str = ""
    generator_cpu_ns: int = 0
    steady: bool = True
    warm_up_s: float = 0.0
    verdict: str = ""
    """server-bound, generator-bound, rate-held (an offered rate that both sides kept up with), or unsure."""
    reasons: tuple[str, ...] = ()
    """The figures behind the verdict."""
    offered: int = 0
    """In the windows, as `requests`."""
    offered_rps: float | None = None
    uncorrected_ms: Latency | None = None
    """From the actual start; where `latency_ms` is corrected."""
    histograms: dict[str, str] = {}
    """`uncorrected` and, where there is a schedule, `corrected`: HDR histograms (V2, deflate, base64) of nanoseconds.
    Merged over blocks, processes and machines by adding their counts; percentiles are never merged."""
    endpoints: tuple[EndpointResult, ...] = ()
    """Where there is more than one."""
    requests_per_connection: float | None = None
    headroom: Headroom | None = None
    account: Account | None = None
    unmeasured: tuple[str, ...] = ()
    """What this generator can't measure."""
    warnings: tuple[str, ...] = ()
