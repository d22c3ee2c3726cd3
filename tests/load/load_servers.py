"""Servers for the tests of the load room: right ones that count, and wrong ones of every kind."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

Answer = Callable[[socket.socket, bytes, int], bool]
"""(connection, request, number of the request on the whole server) → whether the connection goes on."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Server:
    """One thread per connection; counts requests it has read and answers it has written."""

    def __init__(self, answer: Answer, listener: socket.socket) -> None:
        self._answer, self._listener = answer, listener
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.received = 0
        self.answered = 0
        self.connections = 0
        self.lines: Counter[bytes] = Counter()
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
                self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        rest = b""
        try:
            while True:
                while b"\r\n\r\n" not in rest:
                    chunk = connection.recv(65536)
                    if not chunk:
                        return
                    rest += chunk
                head, _, rest = rest.partition(b"\r\n\r\n")
                length = next((int(x[15:]) for x in head.lower().split(b"\r\n") if x[:15] == b"content-length:"), 0)
                while len(rest) < length:
                    rest += connection.recv(65536)
                body, rest = rest[:length], rest[length:]
                with self._lock:
                    self.received += 1
                    number = self.received
                    self.lines[head.partition(b"\r\n")[0]] += 1
                if not self._answer(connection, head + b"\r\n\r\n" + body, number):
                    return
                with self._lock:
                    self.answered += 1
        except OSError:
            return
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()


@contextlib.contextmanager
def serve(answer: Answer, unix: Path | None = None) -> Iterator[Server]:
    listener = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    listener.bind(str(unix) if unix else ("127.0.0.1", 0))
    listener.listen(512)
    server = Server(answer, listener)
    try:
        yield server
    finally:
        server.close()


def fine(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(OK)
    return True


def chunked(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n")
    connection.sendall(b"2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n")
    return True


def close_delimited(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
    return False


def continued(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    return True


def byte_by_byte(connection: socket.socket, _request: bytes, _number: int) -> bool:
    for byte in OK:
        connection.sendall(bytes([byte]))
    return True


def redirect(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")
    return True


def wrong_text(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(OK.replace(b"hello", b"olleh"))
    return True


def other_length(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(OK.replace(b"5", b"6") + b"!")
    return True


def too_short_length(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more")
    return True


def too_long_length(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello")
    return False


def reset_in_body(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def end_without_answer(_connection: socket.socket, _request: bytes, _number: int) -> bool:
    return False


def silent(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.recv(1)
    return False


def slow_loris(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"a")
        time.sleep(0.01)


def endless_head(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Header: " + b"a" * 1000 + b"\r\n")


def tls_alert(connection: socket.socket, _request: bytes, _number: int) -> bool:
    connection.sendall(bytes.fromhex("15030100020246"))
    return False


def every_third_reset(connection: socket.socket, request: bytes, number: int) -> bool:
    return reset_in_body(connection, request, number) if number % 3 == 0 else fine(connection, request, number)
