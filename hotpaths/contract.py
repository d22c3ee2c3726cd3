"""What every application answers, to the byte, so that their costs can be compared.

Endpoints: `/hello`, `/json/{size}`, `/bytes/{size}`, `/await`, `/orm`. Sizes are bytes of the response body.
Only the standard library is used: the applications run on interpreters where nothing else may be installed.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final

MAXIMUM_SIZE: Final = 1_048_576
"""Bytes; larger bodies are answered with 404."""
MINIMUM_JSON_SIZE: Final = 21
"""Bytes of `{"items":[],"pad":""}`, the smallest document."""
ORM_ROWS: Final = 10
"""Rows that `/orm` reads, of the `STORED_ROWS` in the table."""
STORED_ROWS: Final = 1000

HELLO: Final[dict[str, Any]] = {"message": "Hello, World!"}
AWAITED: Final[dict[str, Any]] = {"awaited": True}
JSON_TYPE: Final = "application/json"
BYTES_TYPE: Final = "application/octet-stream"


def encode(document: dict[str, Any]) -> bytes:
    """JSON without spaces, as msgspec and FastAPI write it."""
    return json.dumps(document, separators=(",", ":")).encode()


def accepts_json_size(size: int) -> bool:
    """Whether `/json/{size}` answers with a document."""
    return MINIMUM_JSON_SIZE <= size <= MAXIMUM_SIZE


def accepts_bytes_size(size: int) -> bool:
    """Whether `/bytes/{size}` answers with a body."""
    return 1 <= size <= MAXIMUM_SIZE


def _item(number: int) -> dict[str, Any]:
    # Every item has the same encoded length, so that the document's length is a matter of counting.
    return {"id": 100_000 + number, "name": f"item {number:06d}", "price": 1.25, "tags": ["new", "sale"], "live": True}


@lru_cache(maxsize=64)
def json_document(size: int) -> dict[str, Any]:
    """A document whose compact encoding is exactly `size` bytes. Shared by all requests: not to be changed."""
    if not accepts_json_size(size):
        raise ValueError(f"a JSON document of {size} bytes is not offered")
    per_item = len(encode(_item(0))) + 1
    count = (size - MINIMUM_JSON_SIZE) // per_item
    document = {"items": [_item(number) for number in range(count)], "pad": ""}
    document["pad"] = "x" * (size - len(encode(document)))
    return document


@lru_cache(maxsize=64)
def binary_body(size: int) -> bytes:
    """`size` bytes that run through all values, so that nothing shorter can stand in for them."""
    if not accepts_bytes_size(size):
        raise ValueError(f"a body of {size} bytes is not offered")
    pattern = bytes(range(256))
    return (pattern * (size // 256 + 1))[:size]


def user(number: int) -> dict[str, Any]:
    """Row `number` (from 1) of the table behind `/orm`."""
    return {"id": number, "name": f"User {number:04d}", "email": f"user{number:04d}@example.com"}


def orm_document() -> dict[str, Any]:
    """The answer of `/orm`: the first rows by id."""
    return {"users": [user(number) for number in range(1, ORM_ROWS + 1)]}


def expected(path: str) -> tuple[str, bytes]:
    """Media type and body of a path that answers 200; KeyError for any other."""
    match path.split("/")[1:]:
        case ["hello"]:
            return JSON_TYPE, encode(HELLO)
        case ["await"]:
            return JSON_TYPE, encode(AWAITED)
        case ["orm"]:
            return JSON_TYPE, encode(orm_document())
        case ["json", size] if size.isdecimal() and accepts_json_size(int(size)):
            return JSON_TYPE, encode(json_document(int(size)))
        case ["bytes", size] if size.isdecimal() and accepts_bytes_size(int(size)):
            return BYTES_TYPE, binary_body(int(size))
    raise KeyError(path)
