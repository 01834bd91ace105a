"""Errors grouped by what the caller does about them.

VitrineError
├── RejectedError    bad input: it goes to the dead letters (or is answered 4xx), the stage goes on
├── TransientError   may pass: try again later, then dead letters
├── CorruptError     stored bytes are not what was written: stop, and say what to rebuild
└── OperatorError    the set-up is wrong: one clear line with the next step, exit code 2
"""

from __future__ import annotations


class VitrineError(Exception):
    """Base of every error that Vitrine raises on purpose."""


class RejectedError(VitrineError):
    """Input that can never be used as it is.

    `reason` is a stable lower_snake_case word (it labels dead letters and
    metrics); `detail` says what was found and what to do, for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[RejectedError], tuple[str, str]]:
        return type(self), (self.reason, self.detail)


class TransientError(VitrineError):
    """Something outside failed that may work later; same fields as `RejectedError`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[TransientError], tuple[str, str]]:
        return type(self), (self.reason, self.detail)


class CorruptError(VitrineError):
    """Stored bytes fail their check. The message names the file or offset and how to rebuild it."""


class OperatorError(VitrineError):
    """The set-up is wrong (busy port, missing program, locked store); the message names the next step."""
