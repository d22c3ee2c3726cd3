"""Threads that each wait for something else. Prints its number, then, for each line read, (thread, wall, CPU) in ns."""

import json
import os
import select
import sys
import threading
import time

PERIOD_S = 0.02


def sleeps() -> None:
    while True:
        time.sleep(PERIOD_S)


def sleeps_on() -> None:
    time.sleep(1000)


def wants_a_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def reads_a_pipe() -> None:
    reader, _writer = os.pipe()
    os.read(reader, 1)


def is_idle() -> None:
    poll = select.epoll()
    poll.poll()


def computes() -> None:
    while True:
        sum(range(1000))


JOBS = (sleeps, sleeps_on, wants_a_lock, reads_a_pipe, is_idle, computes, computes)


def main() -> None:
    threads = [threading.Thread(target=job, daemon=True) for job in JOBS]
    for thread in threads:
        thread.start()
    print(os.getpid(), flush=True)
    for _ in sys.stdin:
        rows = []
        for thread in threads:
            assert thread.ident is not None
            cpu = time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident))
            rows.append((thread.native_id, thread.name, time.monotonic_ns(), cpu))
        print(json.dumps(rows), flush=True)


main()
