"""The contract's views, as anybody would write them."""

from __future__ import annotations

import asyncio
from typing import Any

from hotpaths import contract
from hotpaths.apps.users import reading


class NotFoundError(Exception):
    """There is nothing at this path."""


async def hello() -> dict[str, Any]:
    """The smallest answer."""
    return contract.HELLO


async def json_of(size: int) -> dict[str, Any]:
    """A document of `size` bytes, serialised for each request."""
    if not contract.accepts_json_size(size):
        raise NotFoundError
    return contract.json_document(size)


async def bytes_of(size: int) -> bytes:
    """A body of `size` bytes that Python already holds."""
    if not contract.accepts_bytes_size(size):
        raise NotFoundError
    return contract.binary_body(size)


async def awaited() -> dict[str, Any]:
    """A view that really gives up control once."""
    await asyncio.sleep(0)
    return contract.AWAITED


def orm() -> dict[str, Any]:
    """Ten rows through the ORM; blocks."""
    return reading.first_users()


VIEWS = (
    ("/hello", hello),
    ("/json/{size}", json_of),
    ("/bytes/{size}", bytes_of),
    ("/await", awaited),
    ("/orm", orm),
)
