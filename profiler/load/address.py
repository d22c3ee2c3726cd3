"""Where the load goes: a URL → the one address to connect to."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from profiler.errors import TargetError, UsageError
from profiler.model.load import LoadSpec


def resolve(spec: LoadSpec) -> tuple[dict[str, Any], str]:
    """(address as the core takes it, value of the Host header).

    Raises:
        UsageError: the URL is none, or asks for what the generator can't do.
        TargetError: the host has no address.
    """
    parts = urlsplit(spec.url)
    if parts.scheme == "https":
        raise UsageError(
            f"{spec.url}: TLS is not supported",
            hint="measure the server behind its TLS end: http:// and its plain port",
        )
    try:
        port = parts.port or 80
    except ValueError:
        raise UsageError(f"{spec.url}: the port is not a number from 1 to 65535") from None
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError(f"not a URL of a server: {spec.url}", hint="write it like http://127.0.0.1:8000/hello")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if spec.unix_socket is not None:
        return {"unix": _socket_path(spec.unix_socket)}, host
    return {"tcp": _first_address(parts.hostname, port)}, host if port == 80 else f"{host}:{port}"


def _socket_path(path: str) -> str:
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise TargetError(f"{path}: {os.strerror(error.errno or 0)}") from None
    if not stat.S_ISSOCK(mode):
        raise UsageError(f"{path} is not a Unix socket")
    return str(Path(path).resolve())


def _first_address(host: str, port: int) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TargetError(f"{host} has no address: {error}") from None
    # A server that listens on 127.0.0.1 only is the rule: of `localhost` take that one.
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return f"[{address[0]}]:{port}" if family == socket.AF_INET6 else f"{address[0]}:{port}"
