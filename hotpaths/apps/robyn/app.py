"""The contract on Robyn: `ROBYN_PORT=8000 python app.py --processes 1 --workers 1`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from robyn import Request, Response, Robyn

# The application reads `hotpaths.contract`, which is not installed in every interpreter it is served by.
sys.path.append(str(Path(__file__).resolve().parents[3]))

from hotpaths import contract
from hotpaths.apps.users import reading

reading.configure()
app = Robyn(__file__)
NOT_FOUND = Response(status_code=404, headers={"content-type": "text/plain"}, description="Not Found")


def _size(request: Request) -> int:
    given = request.path_params["size"]
    return int(given) if given.isdecimal() else -1


@app.get("/hello")
async def hello(request: Request) -> dict[str, Any]:
    """The smallest answer."""
    return contract.HELLO


@app.get("/json/:size")
async def json_of(request: Request) -> dict[str, Any] | Response:
    """A document of `size` bytes, serialised for each request."""
    size = _size(request)
    return contract.json_document(size) if contract.accepts_json_size(size) else NOT_FOUND


@app.get("/bytes/:size")
async def bytes_of(request: Request) -> Response:
    """A body of `size` bytes that Python already holds."""
    size = _size(request)
    if not contract.accepts_bytes_size(size):
        return NOT_FOUND
    return Response(
        status_code=200, headers={"content-type": contract.BYTES_TYPE}, description=contract.binary_body(size)
    )


@app.get("/await")
async def awaited(request: Request) -> dict[str, Any]:
    """A view that really gives up control once."""
    await asyncio.sleep(0)
    return contract.AWAITED


@app.get("/orm")
def orm(request: Request) -> dict[str, Any]:
    """Ten rows through the ORM, in a thread of the pool."""
    return reading.first_users()


if __name__ == "__main__":
    app.start(host="127.0.0.1", port=int(os.environ.get("ROBYN_PORT", "8080")))
