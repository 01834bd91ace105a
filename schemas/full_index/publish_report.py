"""How a publication went (JSON): every check, and its end.

    generations/last-publish.json       of the last one, whichever generation it was of
    generations/<name>/publish.json     of the last one of that generation

Fields are only ever added, with a default.
"""

from __future__ import annotations

import msgspec

from schemas.errors import CorruptError

LAST_PUBLISH = "last-publish.json"
PUBLISH = "publish.json"


class PublishCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check of a generation; `value` and `threshold` where it compares numbers: it passes at or above."""

    name: str
    passed: bool
    value: float | None = None
    threshold: float | None = None
    detail: str = ""


class PublishReport(msgspec.Struct, frozen=True, kw_only=True):
    """`passed`: the generation `name` serves since. `problem`: why not, where it was no check.

    `forced`: published although checks had failed. `finished_ms`: since 1970.
    """

    name: str
    passed: bool
    finished_ms: int
    checks: list[PublishCheck] = []
    problem: str = ""
    forced: bool = False

    @property
    def failed(self) -> list[PublishCheck]:
        """The checks that did not pass."""
        return [check for check in self.checks if not check.passed]

    @property
    def why(self) -> str:
        """Why it was not published, in one line: the problem, or the checks that failed."""
        return self.problem or "; ".join(f"{check.name}: {check.detail}" for check in self.failed)

    def checks_text(self) -> str:
        """For a terminal: a line per check."""
        return "\n".join(
            f"  {'passed' if check.passed else 'FAILED'}  {check.name:<16}{_against(check)}{check.detail}"
            for check in self.checks
        )

    def text(self) -> str:
        """For a terminal: a line per check, and how it ended."""
        if not self.passed:
            end = f"{self.name} is not published: {self.why}"
        elif self.forced:
            end = f"{self.name} is published by force; failed: {', '.join(check.name for check in self.failed)}"
        else:
            end = f"{self.name} is published"
        return "\n".join(part for part in (self.checks_text(), end) if part)


def _against(check: PublishCheck) -> str:
    if check.value is None:
        return ""
    return f"{check.value:.4f}" + ("" if check.threshold is None else f" (at least {check.threshold:g})") + "  "


def encode_publish_report(report: PublishReport) -> bytes:
    return msgspec.json.format(msgspec.json.encode(report))


def decode_publish_report(data: bytes) -> PublishReport:
    """Raises `CorruptError`."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise CorruptError(f"the report of the last publication does not decode: {error}") from error


_decoder = msgspec.json.Decoder(PublishReport)
