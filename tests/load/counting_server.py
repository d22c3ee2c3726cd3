"""A program: answers on a port from several processes, counts the answers in a shared file, replaces killed workers.

Arguments: the file of the count (8 bytes per worker), workers. Prints the port, then `worker PID` for each start.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import struct
import sys
import threading
from pathlib import Path


def work(listener: socket.socket, counts: mmap.mmap, slot: int) -> None:
    lock = threading.Lock()

    def serve(connection: socket.socket) -> None:
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                chunk = connection.recv(65536)
                if not chunk:
                    return connection.close()
                rest += chunk
            _, _, rest = rest.partition(b"\r\n\r\n")
            with lock:
                (count,) = struct.unpack_from("q", counts, 8 * slot)
                struct.pack_into("q", counts, 8 * slot, count + 1)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def main() -> None:
    workers = int(sys.argv[2])
    with Path(sys.argv[1]).open("r+b") as file:
        counts = mmap.mmap(file.fileno(), 8 * workers)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    print(listener.getsockname()[1], flush=True)
    signal.signal(signal.SIGTERM, lambda *_: (os.killpg(0, signal.SIGKILL), None)[1])
    slots: dict[int, int] = {}
    free = list(range(workers))
    while True:
        for slot in free:
            pid = os.fork()
            if pid == 0:
                work(listener, counts, slot)
            slots[pid] = slot
            print(f"worker {pid}", flush=True)
        pid, _ = os.wait()
        free = [slots.pop(pid)]


main()
