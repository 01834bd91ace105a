"""Errors grouped by what the caller does about them.

VitrineClientError
├── Refused            4xx: it cannot be answered as it is; `detail` says what to change
│   ├── Unauthorised   401, 403: no key, an unknown one, or one without the role
│   ├── NotFound       404: no such product, or no such full index
│   └── TooLarge       413: send less
├── TooMany            429: beyond what the key allows; ask again in `retry_after_s`
├── Unavailable        502, 503, 504, or no answer in time: ask again later
└── UnexpectedAnswer   not what a Vitrine says: another program, something between, or a fault that its log tells of

`TooMany` and `Unavailable` come after the client's own tries, or at once where the wait would be too long for it.
"""

from __future__ import annotations


class VitrineClientError(Exception):
    """Base of every error that the client raises on purpose, but for arguments that cannot be (`TypeError`, ...).

    `reason`: a stable word; `detail`: what was found and what to do, for a person; `status`: of the answer, None where
    there was none; `retry_after_s`: when to ask again, where the server said so.
    """

    def __init__(self, reason: str, detail: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(reason, detail, status, retry_after_s)
        self.reason = reason
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        said = f"{self.reason}: {self.detail}"
        return said if self.status is None else f"{said} (status {self.status})"


class Refused(VitrineClientError):
    """What was asked cannot be answered as it is."""


class Unauthorised(Refused):
    """No key, one that is not known, or one that has not the role."""


class NotFound(Refused):
    """There is no such product, or no such full index."""


class TooLarge(Refused):
    """The photo, or all of the question, is larger than the server takes."""


class TooMany(VitrineClientError):
    """The key allows no more for now; it does in `retry_after_s`."""


class Unavailable(VitrineClientError):
    """Nothing answers, or not in time, or it has no room for the question now."""


class UnexpectedAnswer(VitrineClientError):
    """The answer is none that the client understands."""
