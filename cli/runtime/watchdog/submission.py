"""Submitting the job as often as it takes, on a thread of its own, with growing pauses and an end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from schemas.errors import VitrineError

log = logging.getLogger(__name__)

TRIES = 8
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
HEALED_S = 15.0
"""A job that has run for so long is none that fails at once."""


class Submission:
    """`submit(to_new_flink)` runs the client to its end, raising `VitrineError`. Used from the watchdog's thread.

    `given_up` after `TRIES` submissions that failed, or whose job was gone
    again at once, in a row.
    """

    def __init__(self, submit: Callable[[bool], object]) -> None:
        self._submit = submit
        self._thread: threading.Thread | None = None
        self._failure: str | None = None
        self._tries = 0
        self._not_before = 0.0
        self._running_since: float | None = None
        self.given_up = False

    @property
    def under_way(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def due(self, now: float) -> bool:
        """Whether one may begin. The first follows at once, each further one after twice the pause."""
        return not self.under_way and not self.given_up and now >= self._not_before

    def begin(self, now: float, to_new_flink: bool) -> None:
        """`to_new_flink`: the job was lost with its job manager, which says nothing about the job."""
        self._tries = 1 if to_new_flink else self._tries + 1
        self._running_since = None
        pause_s = 0.0 if self._tries == 1 else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._tries - 2))
        # Counted from here on: a submission that takes longer than its pause is followed at once.
        self._not_before = now + pause_s
        if self._tries > TRIES:
            self.given_up = True
            log.error("event=job_given_up tries=%d next=vitrine_start problem=%s", TRIES, self._failure)
            return
        self._failure = None
        log.info("event=job_submitting try=%d to_new_flink=%s", self._tries, to_new_flink)
        self._thread = threading.Thread(target=self._run, args=(to_new_flink,), name="submission", daemon=True)
        self._thread.start()

    def runs(self, now: float) -> None:
        """The job's tasks all run."""
        self._running_since = now if self._running_since is None else self._running_since
        self._failure = None
        self.given_up = False
        if now - self._running_since > HEALED_S:
            self._tries = 0
            self._not_before = 0.0

    def failure(self) -> str | None:
        """What the last one failed with; None while one is under way, and after one that did not."""
        return None if self.under_way else self._failure

    def _run(self, to_new_flink: bool) -> None:
        try:
            self._submit(to_new_flink)
        except VitrineError as error:
            log.warning("event=job_not_submitted problem=%s", error)
            self._failure = str(error)
