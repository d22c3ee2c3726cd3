"""A small HTTP server for one profile: loopback only, behind a random token, with no answer for other hosts' names.

Every path begins with the token, so that nobody else on the machine can guess it. The Host header must name loopback:
a page of a foreign site whose name was rebound to 127.0.0.1 gets nothing (DNS rebinding). The content security policy
keeps the page from asking any other server for anything.
"""

from __future__ import annotations

import gzip
import secrets
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit

from profiler import __version__
from profiler.viewer.assets import Asset

LOOPBACK = "127.0.0.1"
PROFILE = "profile.speedscope.json"

# speedscope sets styles from its script, draws on a canvas, and compiles WebAssembly for one of its file formats.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Viewer:
    """Serves from a thread of its own between `__enter__` and `__exit__`."""

    def __init__(self, profile: bytes, assets: Mapping[str, Asset], *, view: str = "left-heavy") -> None:
        """
        Args:
            profile: A speedscope file.
            assets: speedscope's pages by file name.
            view: `left-heavy`, `time-ordered` or `sandwich`.
        """
        self.token = secrets.token_urlsafe(24)
        files = {**assets, PROFILE: Asset(content_type="application/json", body=profile)}
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.token = self.token
        self._server.files = files
        self._server.compressed = {
            name: gzip.compress(asset.body, compresslevel=6, mtime=0)
            for name, asset in files.items()
            if asset.compressible
        }
        self._view = view
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What to open in a browser on this machine."""
        return f"http://{LOOPBACK}:{self.port}/{self.token}/#profileURL={quote(PROFILE)}&view={self._view}"

    def __enter__(self) -> Viewer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    token: str
    files: dict[str, Asset]
    compressed: dict[str, bytes]
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that closes a connection early is no error worth a traceback."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = f"hotpath-profiler/{__version__}"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def log_message(self, format: str, *arguments: object) -> None:
        """No access log: paths hold the token."""

    def _answer(self, *, send_body: bool) -> None:
        asset = self._find()
        if isinstance(asset, HTTPStatus):
            self._send(asset, {"Content-Type": "text/plain; charset=utf-8"}, f"{asset.phrase}\n".encode(), send_body)
            return
        name, found = asset
        headers = {"Content-Type": found.content_type}
        body = found.body
        if found.compressible:
            headers["Vary"] = "Accept-Encoding"
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                headers["Content-Encoding"] = "gzip"
                body = self.server.compressed[name]
        self._send(HTTPStatus.OK, headers, body, send_body)

    def _find(self) -> tuple[str, Asset] | HTTPStatus:
        """The file asked for, or the status that refuses it."""
        port = self.server.server_address[1]
        if self.headers.get("Host", "").lower() not in (f"{LOOPBACK}:{port}", f"localhost:{port}"):
            return HTTPStatus.MISDIRECTED_REQUEST
        token, slash, name = unquote(urlsplit(self.path).path).removeprefix("/").partition("/")
        if not slash or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            return HTTPStatus.NOT_FOUND
        name = name or "index.html"
        asset = self.server.files.get(name)
        return HTTPStatus.NOT_FOUND if asset is None else (name, asset)

    def _send(self, status: HTTPStatus, headers: Mapping[str, str], body: bytes, send_body: bool) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if send_body:
            self.wfile.write(body)
