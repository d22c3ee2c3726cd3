"""The contract on Django. One project serves WSGI and ASGI: only `/await` has to be asynchronous."""

from __future__ import annotations

import asyncio
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from hotpaths import contract
from hotpaths.apps.users.reading import first_users


def _json(document: dict[str, Any]) -> JsonResponse:
    # Django writes spaces after commas and colons unless told otherwise.
    return JsonResponse(document, json_dumps_params={"separators": (",", ":")})


def hello(request: HttpRequest) -> HttpResponse:
    """The smallest answer."""
    return _json(contract.HELLO)


def json_of(request: HttpRequest, size: int) -> HttpResponse:
    """A document of `size` bytes, serialised for each request."""
    if not contract.accepts_json_size(size):
        raise Http404
    return _json(contract.json_document(size))


def bytes_of(request: HttpRequest, size: int) -> HttpResponse:
    """A body of `size` bytes that Python already holds."""
    if not contract.accepts_bytes_size(size):
        raise Http404
    return HttpResponse(contract.binary_body(size), content_type=contract.BYTES_TYPE)


async def awaited(request: HttpRequest) -> HttpResponse:
    """A view that really gives up control once."""
    await asyncio.sleep(0)
    return _json(contract.AWAITED)


def orm(request: HttpRequest) -> HttpResponse:
    """Ten rows through the ORM."""
    return _json(first_users())
