"""A target that the toolkit starts, and therefore stops."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from profiler.errors import TargetError, UsageError
from profiler.model.launch import Launch
from profiler.model.load import Endpoint
from profiler.model.run import ProcessInfo, TargetInfo
from profiler.targets.base import Plan, TargetSpec
from profiler.targets.command import Command, served_url
from profiler.targets.cpu_group import CpuGroup
from profiler.targets.detect import Choice
from profiler.targets.interpreter import (
    Inspection,
    Interpreter,
    find_interpreter,
    inspect,
    interpreter_of,
    own_interpreter,
    python_of,
)
from profiler.targets.logs import access_log, last_lines, tail
from profiler.targets.masking import mask
from profiler.targets.ports import LOOPBACK, free_port, is_taken, listeners, says_in_use
from profiler.targets.processes import command_line, describe
from profiler.targets.readiness import ask, await_answer
from profiler.targets.supervised import Supervised

Wrap = Callable[[Launch], Launch]

PORT_ATTEMPTS = 3
LISTENERS_TIMEOUT_S = 10.0


class _PortTaken(Exception):
    """Somebody was quicker to take the port."""


class LaunchedTarget:
    """A server or command under a supervisor."""

    def __init__(self, spec: TargetSpec, choice: Choice, wrap: Wrap, logs: Path) -> None:
        """Finds the interpreter and starts the first process. TargetError, UsageError where that can't be done."""
        self._spec = spec
        self._choice = choice
        self._wrap = wrap
        self._log = _free_name(logs / "target.log")
        self._env = dict(os.environ)
        self._notes = list(choice.notes)
        self._asked = ""
        self._interpreter = self._find_interpreter()
        self._inspection = self._inspect()
        self._start()

    def wait_ready(self, endpoint: Endpoint | None, timeout_s: float) -> int:
        deadline = time.monotonic() + timeout_s
        if self.url is None:
            self._check()
            return 0
        for attempt in range(PORT_ATTEMPTS):
            try:
                length = await_answer(self.url, endpoint, deadline - time.monotonic(), self._check)
                break
            except _PortTaken:
                if self._spec.port is not None or self._port == 0 or attempt + 1 == PORT_ATTEMPTS:
                    raise self._failure(f"port {urlsplit(self.url).port} is taken") from None
                self._restart()
            except TargetError as error:
                error.message += last_lines(self._log)
                raise
        self._asked = endpoint.path if endpoint is not None else ""
        self._check_listeners(endpoint, min(deadline, time.monotonic() + LISTENERS_TIMEOUT_S))
        return length

    def pids(self) -> tuple[int, ...]:
        return self._processes.pids()

    def ended(self) -> str | None:
        return self._processes.ended()

    def cpu_group(self) -> CpuGroup | None:
        return self._processes.group

    def info(self) -> TargetInfo:
        pids = self.pids()
        processes = tuple(process for pid in pids if (process := describe(pid)) is not None)
        return TargetInfo(
            kind=self._choice.kind.name,
            name=self._name(),
            command=mask(self._launch.argv),
            url=self.url or "",
            python=self._inspection.python,
            packages=self._inspection.packages,
            processes=processes,
            cpus=self._spec.cpus,
            access_log=self._access_log(pids),
            bundled=self._choice.bundled,
            notes=(*self._notes, *self._plan.notes, *self._unlike_asked(processes)),
        )

    def _unlike_asked(self, processes: Sequence[ProcessInfo]) -> tuple[str, ...]:
        """Where other workers run than were asked for: options are no proof, threads are."""
        prefix = self._plan.worker_threads
        if not prefix or not processes:
            return ()
        workers = [sum(n for name, n in process.threads.items() if name.startswith(prefix)) for process in processes]
        running = [count for count in workers if count]
        if running == [self._spec.workers] * self._spec.processes:
            return ()
        asked = f"{self._spec.processes} processes with {self._spec.workers} workers each"
        return (f"asked for {asked}, running: {' + '.join(map(str, running)) or 'no'} workers",)

    def _access_log(self, pids: Iterable[int]) -> str:
        if not self._asked:
            return "unknown"
        found = access_log(self._asked, self._log, pids)
        return "unknown" if found == "off" and self._plan.hides_access_log else found

    def stop(self) -> None:
        self._processes.stop(self._plan.grace_s)

    def _find_interpreter(self) -> Interpreter | None:
        if self._spec.command and self._spec.python is None:
            return interpreter_of(self._spec.command[0])
        if self._choice.bundled and self._spec.python is None:
            return own_interpreter()
        return find_interpreter(self._spec.python, self._choice.app.folder)

    def _inspect(self) -> Inspection:
        if self._interpreter is None:
            return Inspection(python="", packages={}, importable=True)
        module = self._choice.kind.plan(self._spec, self._choice.app, 0).module
        found = inspect(self._interpreter, module, self._choice.app.folder, self._env)
        if not found.importable:
            package = module.replace("_", "-")
            raise TargetError(
                f"{self._interpreter.path} ({self._interpreter.origin}) has no package {package}",
                hint=f"{self._interpreter.path} -m pip install {package}, or choose another with --python",
            )
        return found

    def _start(self) -> None:
        self._port, self.url = self._choose_port()
        self._plan = self._choice.kind.plan(self._spec, self._choice.app, self._port)
        self._launch = self._wrap(self._as_launch(self._plan))
        self._processes = Supervised(self._launch, log=self._log, cpus=self._spec.cpus)

    def _choose_port(self) -> tuple[int, str | None]:
        """(port given to the server, 0 where it is given none; where it serves)"""
        fixed = self._spec.port
        if fixed is not None and is_taken(fixed):
            raise TargetError(f"port {fixed} is taken{_by_whom(fixed)}", hint="leave the port out: a free one is found")
        port = fixed or free_port()
        if not isinstance(self._choice.kind, Command):
            return port, f"http://{LOOPBACK}:{port}"
        url = served_url(self._spec, port)
        return (port if url is not None and urlsplit(url).port == port else 0), url

    def _as_launch(self, plan: Plan) -> Launch:
        env = {**self._env, **plan.env}
        folder = str(self._choice.app.folder)
        if plan.module:
            assert self._interpreter is not None
            python = self._interpreter.path
            return Launch(argv=(python, *plan.argv), env=env, python=python, folder=folder)
        argv = plan.argv
        if self._spec.python is not None and self._interpreter is not None:
            if not python_of(argv[0]):
                raise UsageError("--python needs a command that begins with python", hint="leave --python out")
            argv = (self._interpreter.path, *argv[1:])
        python = python_of(argv[0])
        return Launch(argv=(python or argv[0], *argv[1:]), env=env, python=python, folder=folder)

    def _restart(self) -> None:
        self._processes.stop(grace_s=0.0)
        self._log.unlink(missing_ok=True)
        self._start()

    def _check(self) -> None:
        """Raises where waiting for an answer is pointless."""
        if says_in_use(tail(self._log)) and self._is_elsewhere():
            raise _PortTaken
        if (ended := self.ended()) is not None:
            raise self._failure(f"{self._name()} stopped before it answered: {ended}")

    def _is_elsewhere(self) -> bool:
        """True where the port is held, and not by this target: the complaint in its log is about this port."""
        port = urlsplit(self.url or "").port or 0
        return is_taken(port) and not listeners(port, self.pids())

    def _failure(self, message: str) -> TargetError:
        return TargetError(
            message + last_lines(self._log), hint=f"the command was: {' '.join(mask(self._launch.argv))}"
        )

    def _check_listeners(self, endpoint: Endpoint | None, deadline: float) -> None:
        """That the answer came from this target, and that each process that will listen does."""
        assert self.url is not None
        port = urlsplit(self.url).port or 80
        while len(own := listeners(port, self.pids())) < self._plan.listeners and time.monotonic() < deadline:
            self._check()
            time.sleep(0.02)
        if not own and (others := listeners(port)):
            raise TargetError(
                f"port {port} was answered by process {others[0]} ({_title(others[0])}), not by this target",
                hint="stop it or use another port; to profile that process: --pid",
            )
        if len(own) < self._plan.listeners:
            self._notes.append(f"{len(own)} processes listen, {self._plan.listeners} were expected")
        if endpoint is not None:
            for _ in range(2 * self._plan.listeners):
                ask(self.url, endpoint)

    def _name(self) -> str:
        if isinstance(self._choice.kind, Command):
            return " ".join(mask(self._spec.command))
        if self._choice.bundled:
            return f"bundled {self._choice.app.folder.name}"
        return self._choice.app.folder.resolve().name


def _free_name(path: Path) -> Path:
    """The path, or the first of `name-2`, `name-3`, … that is not there yet."""
    number = 1
    free = path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def _title(pid: int) -> str:
    return " ".join(mask(command_line(pid)))[:80]


def _by_whom(port: int) -> str:
    holders = listeners(port)
    return f" by process {holders[0]} ({_title(holders[0])})" if holders else ""
