"""What came back, and which error it is where it is no answer: the one place that knows status codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from vitrine_client.answers import ErrorBody
from vitrine_client.errors import (
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Unauthorised,
    Unavailable,
    UnexpectedAnswer,
    VitrineClientError,
)

_QUOTED = 300
"""Characters that are cited of an answer that is not understood."""
_REFUSALS: Mapping[int, type[Refused]] = {401: Unauthorised, 403: Unauthorised, 404: NotFound, 413: TooLarge}
_TOO_MANY = 429
_UNAVAILABLE = frozenset((502, 503, 504))
_HOPELESS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """Its beginning, for an error."""
        return self.body[:_QUOTED].decode(errors="replace")


Outcome = Reply | httpx.RequestError
"""Of one try."""


class _ErrorAnswer(msgspec.Struct, frozen=True):
    error: ErrorBody


_error_decoder = msgspec.json.Decoder(_ErrorAnswer)


def may_pass(outcome: Outcome) -> bool:
    """Whether the same question may be answered a moment later."""
    if isinstance(outcome, Reply):
        return outcome.status == _TOO_MANY or outcome.status in _UNAVAILABLE
    return isinstance(outcome, httpx.TransportError) and not isinstance(outcome, _HOPELESS)


def retry_after_s(outcome: Outcome) -> float | None:
    """What the header says, in either of its forms; None where it says nothing, or nonsense."""
    if not isinstance(outcome, Reply):
        return None
    said = outcome.headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def error_of(outcome: Outcome) -> VitrineClientError:
    """The error that an outcome without an answer is."""
    if not isinstance(outcome, Reply):
        return _unanswered(outcome)
    body = _error_body(outcome)
    kind: type[VitrineClientError] = UnexpectedAnswer
    if outcome.status == _TOO_MANY:
        kind = TooMany
    elif outcome.status in _UNAVAILABLE:
        kind = Unavailable
    elif 400 <= outcome.status < 500:
        kind = _REFUSALS.get(outcome.status, Refused)
    return kind(body.reason, body.detail, outcome.status, retry_after_s(outcome))


def _unanswered(error: httpx.RequestError) -> VitrineClientError:
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return Unavailable("timeout", f"no whole answer in time ({said})")
    if isinstance(error, httpx.TransportError):
        return Unavailable("connection", said)
    return UnexpectedAnswer("unreadable", said)


def _error_body(reply: Reply) -> ErrorBody:
    """The server's; or what something between it and us said, as far as it can be cited."""
    try:
        return _error_decoder.decode(reply.body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ErrorBody(f"http_{reply.status}", reply.text or "an empty answer")
