"""The contract on Django-Bolt."""

from __future__ import annotations

import asyncio
from typing import Any

from django_bolt import BoltAPI, Response
from django_bolt.exceptions import NotFound

from hotpaths import contract
from hotpaths.apps.users.models import User
from hotpaths.apps.users.reading import describe

api = BoltAPI()


@api.get("/hello")
async def hello() -> dict[str, Any]:
    """The smallest answer."""
    return contract.HELLO


@api.get("/json/{size}")
async def json_of(size: int) -> dict[str, Any]:
    """A document of `size` bytes, serialised for each request."""
    if not contract.accepts_json_size(size):
        raise NotFound()
    return contract.json_document(size)


@api.get("/bytes/{size}")
async def bytes_of(size: int) -> Response:
    """A body of `size` bytes that Python already holds."""
    if not contract.accepts_bytes_size(size):
        raise NotFound()
    return Response(contract.binary_body(size), media_type=contract.BYTES_TYPE)


@api.get("/await")
async def awaited() -> dict[str, Any]:
    """A view that really gives up control once."""
    await asyncio.sleep(0)
    return contract.AWAITED


@api.get("/orm")
def orm() -> dict[str, Any]:
    """Ten rows through the ORM. The query stands here, where Bolt looks for one: it then uses its thread pool."""
    return describe(User.objects.order_by("id")[: contract.ORM_ROWS])
