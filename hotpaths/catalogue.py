"""The optimizations, in the order in which a request meets them."""

from __future__ import annotations

from hotpaths import access_logging, allocations, response_bodies, response_handlers, trivially_async
from hotpaths.optimization import Optimization

OPTIMIZATIONS: tuple[Optimization, ...] = (
    access_logging.OPTIMIZATION,
    response_bodies.OPTIMIZATION,
    trivially_async.OPTIMIZATION,
    allocations.OPTIMIZATION,
    response_handlers.OPTIMIZATION,
)


def find(slug: str) -> Optimization:
    """The optimization of that name; KeyError where there is none."""
    for optimization in OPTIMIZATIONS:
        if optimization.slug == slug:
            return optimization
    raise KeyError(slug)
