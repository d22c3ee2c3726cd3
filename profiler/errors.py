"""The errors a user can meet, and the exit code each one ends with.

ProfilerError                1  something the toolkit did not foresee
├── UsageError               2  an argument, a file or a run that can't be used as given
├── TargetError              3  the server did not start, answer as expected, or stay up
├── SamplerError             4  a sampler or a privilege is missing, or the sampler failed
└── Interrupted            130  the user pressed Ctrl-C; what was measured is kept

A message says what happened and the value; `hint` says what to do. Only `profiler.cli.main` turns them into exit codes.
Exit code 5 is no error: the run is done and kept, but its numbers are not to be trusted.
"""

from __future__ import annotations


class ProfilerError(Exception):
    """Base of every error shown to a user as one line, without a traceback."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ProfilerError):
    exit_code = 2


class TargetError(ProfilerError):
    exit_code = 3


class SamplerError(ProfilerError):
    exit_code = 4


class Interrupted(ProfilerError):
    exit_code = 130
