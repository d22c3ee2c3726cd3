"""The contract on FastAPI: `uvicorn main:app`, or `granian --interface asgi main:app`, from this folder."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Response

# The application reads `hotpaths.contract`, which is not installed in every interpreter it is served by.
sys.path.append(str(Path(__file__).resolve().parents[3]))

from hotpaths import contract
from hotpaths.apps.users import reading

reading.configure()
app = FastAPI()


@app.get("/hello")
async def hello() -> dict[str, Any]:
    """The smallest answer."""
    return contract.HELLO


@app.get("/json/{size}")
async def json_of(size: int) -> dict[str, Any]:
    """A document of `size` bytes, serialised for each request."""
    if not contract.accepts_json_size(size):
        raise HTTPException(404)
    return contract.json_document(size)


@app.get("/bytes/{size}")
async def bytes_of(size: int) -> Response:
    """A body of `size` bytes that Python already holds."""
    if not contract.accepts_bytes_size(size):
        raise HTTPException(404)
    return Response(contract.binary_body(size), media_type=contract.BYTES_TYPE)


@app.get("/await")
async def awaited() -> dict[str, Any]:
    """A view that really gives up control once."""
    await asyncio.sleep(0)
    return contract.AWAITED


@app.get("/orm")
def orm() -> dict[str, Any]:
    """Ten rows through the ORM, in a thread of the pool."""
    return reading.first_users()
