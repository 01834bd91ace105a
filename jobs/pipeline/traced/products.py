"""Of which products a record speaks, and of which records a call's dead letters are."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.pipeline.stage import Out
from schemas.deltas.delta import decode_deltas
from schemas.errors import CorruptError, RejectedError
from schemas.events.dead_letter import decode_dead_letter
from schemas.events.event import Forwarded, Heartbeat, decode_event, decode_forwarded
from schemas.events.extract_request import decode_requests
from schemas.topics import DEAD_LETTERS, EXTRACT_REQUESTS, INDEX_DELTAS, PRODUCT_EVENTS

_NONE: frozenset[str] = frozenset()


def products_of(topic: str, value: bytes | None) -> frozenset[str]:
    """Their ids; of none where the record is not what the topic is for, which its stage says, or has no value."""
    try:
        if topic == PRODUCT_EVENTS:
            return _of_event(value)
        if topic == EXTRACT_REQUESTS:
            return frozenset(request.product_id for request in decode_requests(value))
        if topic == INDEX_DELTAS:
            return frozenset(decode_deltas(value or b"").product_id)
    except (RejectedError, CorruptError):
        return _NONE
    return _NONE


def _of_event(value: bytes | None) -> frozenset[str]:
    event = decode_event(value)
    if isinstance(event, Heartbeat):
        return _NONE
    named = decode_forwarded(event) if isinstance(event, Forwarded) else event
    return frozenset((named.product_id,))


def letters_of(out: Iterable[Out]) -> frozenset[tuple[int, int]]:
    """Partition and offset of each record that a stage could not use."""
    letters = (decode_dead_letter(each.value) for each in out if each.topic == DEAD_LETTERS)
    return frozenset((letter.partition, letter.offset) for letter in letters)
