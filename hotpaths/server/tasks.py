"""The event loop for views that have to wait (or that are treated so): one per process, on its own thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

Wire = tuple[Any, ...]
Completion = Callable[[Wire | None], None]


class TaskRunner:
    """Runs coroutines as tasks; what each one gives is handed to its completion, None where it was cancelled."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # The loop itself only keeps weak references to tasks.
        self._tasks: set[asyncio.Task[Wire]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hotpaths-tasks", daemon=True)
        self._thread.start()

    def start(self, coroutine: Coroutine[Any, Any, Wire], completion: Completion) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._start, coroutine, completion)

    def _start(self, coroutine: Coroutine[Any, Any, Wire], completion: Completion) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)

        def finish(task: asyncio.Task[Wire]) -> None:
            self._tasks.discard(task)
            completion(None if task.cancelled() or task.exception() is not None else task.result())

        task.add_done_callback(finish)

    def close(self) -> None:
        """Cancels what still runs and ends the thread."""

        def end() -> None:
            for task in self._tasks:
                task.cancel()
            self._loop.call_soon(self._loop.stop)

        self._loop.call_soon_threadsafe(end)
        self._thread.join()
        self._loop.close()
