"""The viewer's HTTP: loopback only, behind its token, for the right host, with the right headers."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from profiler.errors import ProfilerError
from profiler.viewer import Viewer, load_assets
from profiler.viewer.assets import FOLDER
from profiler.viewer.browser import open_browser

PROFILE = b'{"profiles": []}' * 1000


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewer]:
    with Viewer(PROFILE, load_assets()) as running:
        yield running


def ask(viewer: Viewer, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_it_listens_on_loopback_only(viewer: Viewer) -> None:
    listening = [c.laddr for c in psutil.Process().net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in listening if address.port == viewer.port] == [
        ("127.0.0.1", viewer.port)
    ]


def test_the_page_and_the_profile_are_behind_the_token(viewer: Viewer) -> None:
    status, headers, body = ask(viewer, f"/{viewer.token}/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"speedscope" in body
    status, headers, body = ask(viewer, f"/{viewer.token}/profile.speedscope.json")
    assert (status, headers["Content-Type"], body) == (200, "application/json", PROFILE)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/profile.speedscope.json",
        "/wrong-token/profile.speedscope.json",
        "/{token}",
        "/{token}x/profile.speedscope.json",
        "/{token}/../../../../etc/passwd",
        "/{token}/%2e%2e/assets.py",
        "/{token}/speedscope/index.html",
        "/{token}//etc/passwd",
        "/index.html?{token}/",
    ],
)
def test_nothing_else_is_there(viewer: Viewer, path: str) -> None:
    status, _, body = ask(viewer, path.replace("{token}", viewer.token))
    assert (status, body) == (404, b"Not Found\n")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "10.0.0.1:{port}"]
)
def test_a_host_that_is_not_loopback_is_refused(viewer: Viewer, host: str) -> None:
    name = host.replace("{port}", str(viewer.port))
    assert ask(viewer, f"/{viewer.token}/profile.speedscope.json", Host=name)[0] == 421
    good = f"localhost:{viewer.port}"
    assert ask(viewer, f"/{viewer.token}/profile.speedscope.json", Host=good)[0] == 200


def test_a_request_without_a_host_is_refused(viewer: Viewer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=10)
    connection.putrequest("GET", f"/{viewer.token}/", skip_host=True)
    connection.endheaders()
    assert connection.getresponse().status == 421
    connection.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_only_reading_is_possible(viewer: Viewer, method: str) -> None:
    assert ask(viewer, f"/{viewer.token}/", method)[0] == 501


def test_every_answer_forbids_caching_sniffing_framing_and_other_servers(viewer: Viewer) -> None:
    for path in (f"/{viewer.token}/", "/nothing"):
        headers = ask(viewer, path)[1]
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "connect-src 'self'" in headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in headers


def test_text_is_compressed_where_the_client_reads_gzip(viewer: Viewer) -> None:
    path = f"/{viewer.token}/profile.speedscope.json"
    _, headers, body = ask(viewer, path, Accept_Encoding="gzip, deflate, br")
    assert headers["Content-Encoding"] == "gzip"
    assert int(headers["Content-Length"]) == len(body) < len(PROFILE) / 10
    assert gzip.decompress(body) == PROFILE
    assert "Content-Encoding" not in ask(viewer, path, Accept_Encoding="br")[1]
    font = next(path.name for path in FOLDER.glob("*.woff2"))
    assert "Content-Encoding" not in ask(viewer, f"/{viewer.token}/{font}", Accept_Encoding="gzip")[1]


def test_head_answers_without_a_body(viewer: Viewer) -> None:
    status, headers, body = ask(viewer, f"/{viewer.token}/profile.speedscope.json", "HEAD")
    assert (status, int(headers["Content-Length"]), body) == (200, len(PROFILE), b"")


def test_tokens_differ_and_are_long() -> None:
    tokens = set()
    for _ in range(3):
        with Viewer(b"{}", {}) as viewer:
            tokens.add(viewer.token)
    assert len(tokens) == 3
    assert min(len(token) for token in tokens) >= 32


def test_the_port_is_free_again_after_the_end() -> None:
    with Viewer(b"{}", {}) as viewer:
        port = viewer.port
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=2).request("GET", "/")


def test_missing_pages_are_an_error_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(ProfilerError, match="speedscope's pages are missing") as error:
        load_assets(tmp_path)
    assert "scripts/fetch-speedscope" in str(error.value.hint)


def test_the_bundle_is_whole_with_its_licences_and_by_its_lock_file() -> None:
    assets = load_assets()
    assert b"Permission is hereby granted" in assets["LICENSE"].body
    assert b"SIL OPEN FONT LICENSE" in assets["source-code-pro.LICENSE.md"].body.upper()
    lock = json.loads((FOLDER.parent / "package-lock.json").read_bytes())
    assert f"speedscope@{lock['packages']['node_modules/speedscope']['version']}" in assets["release.txt"].body.decode()
    assert sum(len(asset.body) for asset in assets.values()) < 1_000_000


def test_without_a_display_no_browser_is_tried() -> None:
    assert open_browser("http://127.0.0.1:1/", {}) is False
