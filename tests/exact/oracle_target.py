"""Runs named sections in a known nesting, each of which accounts its own CPU time.

`oracle_target.py MODULE_FOLDER MODE`: prints its pid, works until two lines have arrived on standard input, then prints
what each section used (seconds of thread CPU time since the first line) as JSON. The tests know which of the functions
below may call which.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time

sys.path.insert(0, sys.argv[1])
import oracle  # type: ignore[import-not-found]

ROUNDS = 150_000
used: dict[str, float] = {}
stopping = threading.Event()


def section(name, work):
    started = time.thread_time()
    work()
    used[name] = used.get(name, 0.0) + time.thread_time() - started


def leaf_python(count):
    total = 0
    for number in range(count):
        total += number * number
    return total


def python_only():
    leaf_python(9000)


def middle_python():
    return oracle.call_back(leaf_callback)


def leaf_callback():
    return leaf_python(9000)


def reenter():
    return oracle.call_back(middle_python)


def numbers(count):
    for _ in range(count):
        yield leaf_python(300)


def outer_numbers(count):
    yield from numbers(count)


def generators():
    return sum(outer_numbers(30))


async def leaf_async():
    return leaf_python(3000)


async def middle_async():
    first = await leaf_async()
    await asyncio.sleep(0)
    return first + await leaf_async()


async def gather_async():
    await asyncio.gather(middle_async(), middle_async())


def asynchronous():
    asyncio.run(gather_async())


def raise_deep(depth):
    if depth == 0:
        raise ValueError(leaf_python(200))
    raise_deep(depth - 1)


def exceptions():
    for _ in range(20):
        try:
            raise_deep(20)
        except ValueError:
            leaf_python(100)


def recurse(depth):
    return leaf_python(6000) if depth == 0 else recurse(depth - 1)


def recursion():
    recurse(300)


def recurse_native(depth):
    return leaf_python(4000) if depth == 0 else oracle.call_back(lambda: recurse_native(depth - 1))


def native_recursion():
    recurse_native(30)


def holding():
    oracle.spin_holding(ROUNDS)


def released():
    oracle.spin_released(ROUNDS)


def stateless():
    oracle.spin_stateless(ROUNDS)


def from_thread():
    oracle.call_from_thread(leaf_callback)


def middle_rust():
    return oracle.rust_call(leaf_callback)


def rust_reenter():
    return oracle.rust_call(middle_rust)


def rust_caught():
    return oracle.rust_catch(leaf_callback)


def rust_recursion():
    return oracle.rust_recurse(leaf_callback)


def rust_holding():
    oracle.rust_holding(ROUNDS)


def rust_released():
    oracle.rust_released(ROUNDS)


def rust_alone():
    oracle.rust_thread(ROUNDS)


SECTIONS = (
    python_only, reenter, generators, asynchronous, exceptions, recursion, native_recursion, holding, released,
    from_thread, stateless, rust_reenter, rust_caught, rust_recursion, rust_holding, rust_released, rust_alone,
)  # fmt: skip


def short_lived():
    leaf_python(800)


def churn():
    while not stopping.is_set():
        threads = [threading.Thread(target=short_lived, name="short") for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def rust_churn():
    sys.setswitchinterval(0.0005)  # so that the threads that want Python get it soon
    started = time.monotonic()
    born = 0
    while not stopping.is_set():
        born += oracle.rust_births(short_lived)
    used["born"] = born
    used["born_in_seconds"] = time.monotonic() - started


def forked():
    while not stopping.is_set():
        child = os.fork()
        if child == 0:
            leaf_python(60_000)
            os._exit(0)
        os.waitpid(child, 0)


def run_sections():
    while not stopping.is_set():
        for work in SECTIONS:
            section(work.__name__, work)


def main():
    print(os.getpid(), flush=True)
    works = {"sections": (run_sections,), "churn": (churn, rust_churn, run_sections), "fork": (forked,)}[sys.argv[2]]
    threads = [threading.Thread(target=work, name=work.__name__) for work in works]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    used.clear()
    sys.stdin.readline()
    stopping.set()
    for thread in threads:
        thread.join()
    print(json.dumps(used), flush=True)


main()
