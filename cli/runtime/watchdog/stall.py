"""Whether the streaming job makes progress, told from Kafka alone: what Flink says is not asked.

A job whose data channel to its Python workers is broken stays RUNNING, reads
nothing and writes nothing, for ever. What shows it: there is work (records
that are not committed; heartbeats see to that for the catalogue), and neither
the group's committed offsets nor what the stage writes moves on.
"""

from __future__ import annotations

from dataclasses import dataclass

EXTRACTION_PATIENCE = 3.0
"""Extraction may wait for its network to load and for hosts: it gets so many times the catalogue's time."""


START_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One stage at one moment. `behind`: records not committed; the others grow while the stage works."""

    behind: int
    committed: int
    written: int

    def moves(self) -> tuple[int, int]:
        return self.committed, self.written


class Stall:
    """Since when one stage has had work and has not moved. Times are of a monotonic clock, in seconds."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._last: Reading | None = None
        self._moved_at = 0.0

    def see(self, reading: Reading, now: float) -> bool:
        """Whether a checkpoint was completed since the reading before: what only writes may do so again and again."""
        before, self._last = self._last, reading
        if before is None or reading.behind == 0 or reading.moves() != before.moves():
            self._moved_at = now
        return before is not None and reading.committed > before.committed

    def forget(self) -> None:
        """The job is not running, or Kafka does not answer: what was seen says nothing about what comes."""
        self._last = None

    def stalled_s(self, now: float) -> float:
        """For how long it has stood still with work to do, when that is longer than the limit; else 0."""
        if self._last is None or self._last.behind == 0:
            return 0.0
        still_s = now - self._moved_at
        return still_s if still_s > self._limit_s else 0.0


class Unanswered:
    """For how long a process that runs has not done what shows that it lives; another process begins anew.

    One that has never done it may still be starting, on a busy machine: it gets `START_PATIENCE` times the limit.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._known: int | None = None
        self._silent: int | None = None
        self._since = 0.0

    def answered(self, pid: int) -> None:
        self._known, self._silent = pid, None

    def silent(self, pid: int, now: float) -> bool:
        """Whether it has been so for longer than the limit."""
        if pid != self._silent:
            self._silent, self._since = pid, now
        return now - self._since > self._limit_s * (1.0 if pid == self._known else START_PATIENCE)
