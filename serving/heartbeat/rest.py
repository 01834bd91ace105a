"""Whether anybody but the heartbeats writes to `product-events`, told by the offsets that heartbeats get."""

from __future__ import annotations

AFTER_S = 10.0
"""So long nobody else must have written: who sends an event now and then never finds the watermark at rest."""


class Rest:
    """Notes where heartbeats came to lie. One that does not lie right behind the one before has something between.

    Nothing is read for it. Times are of a monotonic clock, in seconds.
    """

    def __init__(self) -> None:
        self._offsets: dict[int, int] = {}
        self._written_at: float | None = None

    def note(self, partition: int, offset: int, now: float) -> None:
        """A heartbeat lies there. The first of a partition tells nothing, and so counts as written by others."""
        before = self._offsets.get(partition)
        self._offsets[partition] = offset
        if before is None or offset != before + 1:
            self._written_at = now

    def rests(self, now: float) -> bool:
        """Whether nobody else has written for `AFTER_S`."""
        return self._written_at is not None and now - self._written_at >= AFTER_S
