"""Reading the topic `dead-letters`, and sending what lies in it on its way again."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from messaging.consumer import PartitionReader
from messaging.producer import EventProducer
from messaging.ranges import read_all
from schemas.access.kafka import Kafka
from schemas.errors import CorruptError, OperatorError, RejectedError
from schemas.events.dead_letter import DeadLetter, decode_dead_letter
from schemas.events.extract_request import decode_request, encode_request
from schemas.topics import DEAD_LETTERS, EXTRACT_REQUESTS


class StoredLetter(NamedTuple):
    """`number`: its offset in the topic's only partition, by which it is named."""

    number: int
    letter: DeadLetter


def read_letters(kafka: Kafka) -> list[StoredLetter]:
    """All letters that the topic still holds, oldest first."""
    return [_decode(message.offset, message.value) for message in read_all(kafka, DEAD_LETTERS, 0)]


def read_letter(kafka: Kafka, number: int) -> StoredLetter:
    """One letter. Raises `OperatorError` when there is none of that number."""
    _key, value = _record_at(kafka, DEAD_LETTERS, 0, number)
    return _decode(number, value)


def original(kafka: Kafka, stored: StoredLetter) -> tuple[bytes | None, bytes | None]:
    """Key and value of the record that failed; a value too long for the letter is read from where it came from."""
    letter = stored.letter
    if not letter.truncated:
        return letter.key_bytes(), letter.value_bytes()
    return _record_at(kafka, letter.topic, letter.partition, letter.offset)


def put_back(kafka: Kafka, letters: list[StoredLetter]) -> int:
    """Sends the originals to their topics again and waits until the log has them. The letters stay."""
    with EventProducer(kafka, delivery_timeout_s=30) as producer:
        for stored in letters:
            key, value = original(kafka, stored)
            if stored.letter.topic == EXTRACT_REQUESTS:
                value = _first_attempt(value)
            producer.send(stored.letter.topic, key, value)
    return len(letters)


def _first_attempt(value: bytes | None) -> bytes | None:
    """The request as if never tried; one that does not decode goes back as it is."""
    try:
        request = decode_request(value)
    except RejectedError:
        return value
    return encode_request(msgspec.structs.replace(request, attempt=0, not_before_ms=0))


def _record_at(kafka: Kafka, topic: str, partition: int, offset: int) -> tuple[bytes | None, bytes | None]:
    """The record at exactly that offset. Raises `OperatorError` when the topic does not hold it (any more)."""
    reader = PartitionReader(kafka, topic, partition, offset)
    try:
        if offset < reader.end_offset():
            for _ in range(50):
                for message in reader.poll(1, 0.2):
                    if message.offset == offset:
                        return message.key, message.value
                    raise OperatorError(f"{topic}/{partition} no longer holds offset {offset}")
        raise OperatorError(
            f"{topic}/{partition} holds no offset {offset}; vitrine dead-letters list shows what there is"
        )
    finally:
        reader.close()


def _decode(number: int, value: bytes | None) -> StoredLetter:
    try:
        return StoredLetter(number, decode_dead_letter(value or b""))
    except msgspec.MsgspecError as error:
        raise CorruptError(
            f"dead letter {number} does not decode: {error}; somebody else writes to the topic"
        ) from error
