"""A record that a stage could not use, as the dead letter to write."""

from __future__ import annotations

import time

from jobs.pipeline.stage import Out, Record
from schemas.events.dead_letter import encode_dead_letter, make_dead_letter
from schemas.topics import DEAD_LETTERS


def dead_letter(stage: str, topic: str, record: Record, reason: str, detail: str, transient: bool) -> Out:
    """`topic`: where `record` was read; the letter keeps its key, its bytes and where it lies."""
    letter = make_dead_letter(
        reason=reason,
        detail=detail,
        stage=stage,
        transient=transient,
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        at_ms=time.time_ns() // 1_000_000,
        key=record.key,
        value=record.value,
    )
    return Out(DEAD_LETTERS, record.key, encode_dead_letter(letter), commutes=True)
