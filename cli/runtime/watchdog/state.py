"""What the watchdog last saw and did, for `vitrine start` and `vitrine status`: `run/watchdog.state`."""

from __future__ import annotations

import msgspec

from schemas.layout import Layout

NAME = "watchdog"


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """Records that each stage was behind at that moment (Unix, s)."""

    at: float
    catalogue: int
    extraction: int


class WatchdogState(msgspec.Struct, frozen=True, kw_only=True):
    """`failure`: what the last submission of the job ended with, if it did not succeed.

    `problem`: why the job does not run, or was restarted, since `problem_at`
    (Unix, s); empty when all is well. `given_up`: nothing is tried any more
    until `vitrine start`. `restarts`: when it killed what hung.
    `submitted_to`: process id of the job manager that has, or had, the job.
    `lags`: of the last minutes, oldest first.
    """

    written_at: float = 0.0
    submitting: bool = False
    failure: str = ""
    problem: str = ""
    problem_at: float = 0.0
    given_up: bool = False
    restarts: list[float] = []
    submitted_to: int | None = None
    lags: list[Lag] = []


def write_state(layout: Layout, state: WatchdogState) -> None:
    file = layout.run / f"{NAME}.state"
    temporary = file.with_suffix(".new")
    temporary.write_bytes(msgspec.json.encode(state))
    temporary.rename(file)


def read_state(layout: Layout) -> WatchdogState:
    """Empty where there is none, or none of this version."""
    try:
        return msgspec.json.decode((layout.run / f"{NAME}.state").read_bytes(), type=WatchdogState)
    except (FileNotFoundError, msgspec.MsgspecError):
        return WatchdogState()
