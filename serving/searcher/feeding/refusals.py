"""What a feed did not take of index-deltas: counted by reason, and told in the log."""

from __future__ import annotations

import logging
import time

from messaging.consumer import Message
from schemas.deltas.check import UNDECODABLE, Taken
from serving.searcher.service import SearcherService

log = logging.getLogger(__name__)

LOG_EVERY_S = 1.0


class Refusals:
    """Belongs to the feed's thread."""

    def __init__(self, searcher: SearcherService) -> None:
        self._searcher = searcher
        self._log_at = 0.0
        self._unsaid = 0

    def note(self, taken: Taken, message: Message) -> None:
        """Counts what `taken` of `message` left out; one line a second says it, with the number of records between."""
        searcher = self._searcher
        searcher.refuse(taken.refused)
        for reason, number in taken.refused.items():
            searcher.metrics.refused(reason).inc(number)
        searcher.metrics.undecodable.inc(taken.refused[UNDECODABLE])
        now = time.monotonic()
        if now < self._log_at:
            self._unsaid += 1
            return
        log.warning(
            "event=delta_skipped %s partition=%d offset=%d refused=%s of_rows=%d unsaid_records=%d "
            "next=goes_on,find_who_wrote_it problem=%s",
            searcher.labels,
            message.partition,
            message.offset,
            ",".join(f"{reason}:{number}" for reason, number in sorted(taken.refused.items())),
            taken.offered,
            self._unsaid,
            taken.problem,
        )
        self._log_at, self._unsaid = now + LOG_EVERY_S, 0
