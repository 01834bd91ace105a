"""The log as a replay needs it: how far the stream is, what came after the range, what the dead letters say."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from jobs.full_index.truth.log_state import LogState
from jobs.pipeline.extraction.stage import NOT_CONFIGURED
from messaging.admin import committed_offsets, describe
from messaging.consumer import Message
from messaging.ranges import read_range
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError, RejectedError
from schemas.events.dead_letter import decode_dead_letter
from schemas.events.event import Heartbeat, decode_event
from schemas.events.extract_request import decode_request
from schemas.log_epoch import read_epoch
from schemas.topics import CATALOGUE_GROUP, DEAD_LETTERS, EXTRACT_REQUESTS, EXTRACTION_GROUP, PRODUCT_EVENTS

_POLL_S = 0.3


def log_state(kafka: Kafka, epoch_file: Path) -> LogState:
    """`product-events` now. `epoch_file`: `Layout.log_epoch`.

    Raises `OperatorError` when the topic does not exist, or the streaming job has never seen it.
    """
    found = describe(kafka, [PRODUCT_EVENTS])
    if PRODUCT_EVENTS not in found:
        raise OperatorError(f"{kafka} has no topic {PRODUCT_EVENTS}; vitrine start creates it")
    state = found[PRODUCT_EVENTS]
    epoch = read_epoch(epoch_file)
    if epoch is not None and epoch.topic_id != state.topic_id:
        raise OperatorError("product-events was created anew; start the streaming job, which begins its epoch, first")
    return LogState(state.topic_id, 0 if epoch is None else epoch.epoch, state.beginnings, state.ends)


def wait_for_stream(kafka: Kafka, ends: list[int], timeout_s: float) -> tuple[list[int], bool]:
    """Until the stream has applied the log up to `ends` and has answered the extractions that it then knew of.

    Returns how far the catalogue has come (next offset per partition) and
    whether both were reached; a stream that does not run is no error.
    """
    deadline = time.monotonic() + timeout_s
    reached = _wait(kafka, CATALOGUE_GROUP, PRODUCT_EVENTS, ends, deadline)
    requests = describe(kafka, [EXTRACT_REQUESTS])[EXTRACT_REQUESTS].ends
    answered = _wait(kafka, EXTRACTION_GROUP, EXTRACT_REQUESTS, requests, deadline)
    committed = _committed(kafka, CATALOGUE_GROUP, PRODUCT_EVENTS, len(ends))
    return committed, reached and answered


def wait_for_extraction(kafka: Kafka, timeout_s: float) -> bool:
    """Until the extraction stage has read all its requests, those that went round included."""
    deadline = time.monotonic() + timeout_s
    while True:
        ends = describe(kafka, [EXTRACT_REQUESTS])[EXTRACT_REQUESTS].ends
        if _committed(kafka, EXTRACTION_GROUP, EXTRACT_REQUESTS, len(ends)) == ends:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)


def events_after(kafka: Kafka, ends: list[int]) -> int:
    """Product events (heartbeats are none) that lie in the log behind `ends`."""
    return sum(
        _is_event(message)
        for partition, end in enumerate(ends)
        for message in read_range(kafka, PRODUCT_EVENTS, partition, end)
    )


def given_up(kafka: Kafka) -> dict[tuple[str, bytes], bool]:
    """Extractor ids and image keys that extraction gave up, and whether the latest reason may pass.

    It may when it is transient, and when the job just did not run that
    extractor: a replay asks about those that it runs.
    """
    letters: dict[tuple[str, bytes], bool] = {}
    beginnings = describe(kafka, [DEAD_LETTERS])[DEAD_LETTERS].beginnings
    for partition, begin in enumerate(beginnings):
        for message in read_range(kafka, DEAD_LETTERS, partition, begin):
            try:
                letter = decode_dead_letter(message.value or b"")
                if letter.topic != EXTRACT_REQUESTS:
                    continue
                request = decode_request(letter.value_bytes())
            except (msgspec.MsgspecError, RejectedError):
                continue  # no letter of extraction about an image
            passing = letter.transient or letter.reason == NOT_CONFIGURED
            letters[request.extractor_id, bytes.fromhex(request.image_key)] = passing
    return letters


def _wait(kafka: Kafka, group: str, topic: str, ends: list[int], deadline: float) -> bool:
    while True:
        committed = _committed(kafka, group, topic, len(ends))
        if all(offset >= end for offset, end in zip(committed, ends, strict=True)):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)


def _committed(kafka: Kafka, group: str, topic: str, partitions: int) -> list[int]:
    return [offset or 0 for offset in committed_offsets(kafka, group, topic, partitions)]


def _is_event(message: Message) -> bool:
    try:
        return not isinstance(decode_event(message.value), Heartbeat)
    except RejectedError:
        return False
