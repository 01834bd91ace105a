"""What a replay reads and what it starts from: a decision on offsets alone, without touching anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from jobs.full_index.replay.position import ReplayPosition
from jobs.full_index.truth.log_state import LogState
from schemas.errors import OperatorError


class Base(Enum):
    """The catalogue that the range is applied to.

    EMPTY: none, the log is read from its first record. LAST: the last replay's.
    LIVE: a copy of the live catalogue, taken on trust because the log no longer
    holds what made it; what came before is then not verified.
    """

    EMPTY = "empty"
    LAST = "last"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class ReplayRange:
    """Offsets to read (`ends` exclusive), over that base; the result stands for `stands_for`."""

    base: Base
    begins: list[int]
    ends: list[int]
    stands_for: list[int]


def choose_range(
    log: LogState,
    last: ReplayPosition | None,
    *,
    from_log: bool = False,
    begins: list[int] | None = None,
    ends: list[int] | None = None,
) -> ReplayRange:
    """The range of this replay. Raises `OperatorError` when the wanted one cannot be read, or would leave a gap."""
    ends = log.ends if ends is None else ends
    for name, wanted in (("--from", begins), ("--to", ends)):
        if wanted is not None and len(wanted) != len(log.ends):
            raise OperatorError(f"{name} names {len(wanted)} partitions, product-events has {len(log.ends)}")
    if any(end > limit for end, limit in zip(ends, log.ends, strict=True)):
        raise OperatorError(f"--to {ends} lies beyond the log's end {log.ends}")
    if last is not None and (last.topic_id != log.topic_id or len(last.ends) != len(log.ends)):
        last = None  # a topic created anew: its offsets mean other records
    whole = not any(log.beginnings)
    if from_log:
        if not whole:
            raise OperatorError(
                f"product-events no longer holds its beginning (oldest offsets {log.beginnings}); "
                "replay without --from-log, which trusts the catalogue for what came before"
            )
        if begins is not None:
            raise OperatorError("--from-log reads the log from its beginning; leave --from out")
        return ReplayRange(Base.EMPTY, [0] * len(ends), ends, ends)
    if last is not None and all(old >= oldest for old, oldest in zip(last.ends, log.beginnings, strict=True)):
        start = last.ends if begins is None else begins
        gap = [p for p, (begin, old) in enumerate(zip(start, last.ends, strict=True)) if begin > old]
        if gap:
            raise OperatorError(
                f"--from {start} leaves a gap after the last replay, which ended at {last.ends}; begin there or before"
            )
        stands_for = [max(old, end) for old, end in zip(last.ends, ends, strict=True)]
        begin = [max(first, oldest) for first, oldest in zip(start, log.beginnings, strict=True)]
        return ReplayRange(Base.LAST, [min(b, e) for b, e in zip(begin, ends, strict=True)], ends, stands_for)
    if whole and log.epoch == 0 and begins is None:
        return ReplayRange(Base.EMPTY, [0] * len(ends), ends, ends)
    begin = log.beginnings if begins is None else begins
    begin = [max(first, oldest) for first, oldest in zip(begin, log.beginnings, strict=True)]
    return ReplayRange(Base.LIVE, [min(b, e) for b, e in zip(begin, ends, strict=True)], ends, ends)
