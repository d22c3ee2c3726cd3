"""From a view and the switches to the one function that the server calls for a request.

Everything that can be decided before the first request is decided here, once; what is left in the functions is what
the switches say a request has to go through.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hotpaths import contract
from hotpaths.access_logging import PythonAccessLog
from hotpaths.allocations import STATIC, Describe, describe
from hotpaths.response_handlers import Wire, compile_handler, respond_by_type, return_type
from hotpaths.server.contract_views import NotFoundError
from hotpaths.server.counting import Counters
from hotpaths.server.switches import Switches
from hotpaths.trivially_async import is_trivial, run_trivial

Execute = Callable[[Any], Any]
"""Request -> wire, or a coroutine of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A view as Rust is given it."""

    pattern: str
    way: str
    """`inline`, `task` or `blocking`."""
    execute: Execute
    needs_headers: bool = False


class Builder:
    """Builds served views for one setting of the switches."""

    def __init__(self, switches: Switches, log: PythonAccessLog | None, counters: Counters | None) -> None:
        self._switches = switches
        # With the switch on, the log is Rust's.
        self._log = None if switches.logging else log
        self._counters = counters
        self._describe: Describe = STATIC.__getitem__ if switches.allocations else describe

    def view(self, pattern: str, view: Callable[..., Any]) -> Served:
        """A view at a pattern of paths."""
        call = _with_parameters(view)
        respond = self._respond(view)
        if not inspect.iscoroutinefunction(view):
            return Served(pattern=pattern, way="blocking", execute=self._logged(self._sync(call, respond)))
        trivial = is_trivial(view)
        if trivial and self._switches.inline_async:
            return Served(pattern=pattern, way="inline", execute=self._logged(self._inline(call, respond)))
        start = self._counted("trivial_views_as_tasks", call) if trivial else call
        return Served(pattern=pattern, way="task", execute=self._async(start, respond))

    def refusal(self, status: int, detail: str, kind: str = "json") -> Served:
        """The same answer for every request."""
        body = contract.encode({"detail": detail})
        return Served(
            pattern="", way="inline", execute=self._logged(lambda request: (status, self._describe(kind), body))
        )

    def _respond(self, view: Callable[..., Any]) -> Callable[[Any], Wire]:
        if self._switches.handlers:
            made = compile_handler(return_type(view), self._describe, constant_heads=self._switches.allocations)
            return self._counted("responses_compiled", made)
        head = self._describe
        return self._counted("responses_by_type", lambda result: respond_by_type(result, head))

    def _failed(self, error: Exception) -> Wire:
        if isinstance(error, NotFoundError):
            return 404, self._describe("json"), contract.encode({"detail": "Not Found"})
        logging.getLogger("hotpaths.server").error("a view has failed", exc_info=error)
        return 500, self._describe("json"), contract.encode({"detail": "Internal Server Error"})

    def _inline(self, call: Execute, respond: Callable[[Any], Wire]) -> Execute:
        run = self._counted("trivial_views_inline", run_trivial)

        def execute(request: Any) -> Wire:
            try:
                return respond(run(call(request)))
            except Exception as error:
                return self._failed(error)

        return execute

    def _sync(self, call: Execute, respond: Callable[[Any], Wire]) -> Execute:
        def execute(request: Any) -> Wire:
            try:
                return respond(call(request))
            except Exception as error:
                return self._failed(error)

        return execute

    def _async(self, call: Execute, respond: Callable[[Any], Wire]) -> Execute:
        log = self._log

        async def execute(request: Any) -> Wire:
            try:
                return respond(await call(request))
            except Exception as error:
                return self._failed(error)

        if log is None:
            return execute
        finish = self._counted("logged_by_python", log.finish)

        async def execute_logged(request: Any) -> Wire:
            began = log.begin(request.method, request.path)
            wire: Wire = await execute(request)
            finish(request.method, request.path, wire[0], began)
            return wire

        return execute_logged

    def _logged(self, execute: Execute) -> Execute:
        log = self._log
        if log is None:
            return execute
        finish = self._counted("logged_by_python", log.finish)

        def execute_logged(request: Any) -> Wire:
            began = log.begin(request.method, request.path)
            wire: Wire = execute(request)
            finish(request.method, request.path, wire[0], began)
            return wire

        return execute_logged

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return function if self._counters is None else self._counters.counted(name, function)


def _with_parameters(view: Callable[..., Any]) -> Execute:
    """Request -> what the view gives. Path parameters are whole numbers; anything else is not found."""
    names = tuple(inspect.signature(view).parameters)
    if not names:
        return lambda request: view()

    def call(request: Any) -> Any:
        arguments = {}
        for name in names:
            text = request.path_params[name]
            if not (text.isascii() and text.isdecimal() and len(text) <= 18):
                raise NotFoundError
            arguments[name] = int(text)
        return view(**arguments)

    return call
