"""Where the log ends, as a reader is told without asking."""

from __future__ import annotations

import time

import pytest

from messaging.consumer import PartitionsReader
from messaging.producer import EventProducer
from schemas.access.kafka import KafkaAccess
from schemas.topics import INDEX_DELTAS

pytestmark = pytest.mark.integration


def test_ends_are_told_by_what_is_fetched_and_asking_says_the_same(kafka_broker: str) -> None:
    access = KafkaAccess(kafka_broker)
    reader = PartitionsReader(access, INDEX_DELTAS, {0: None, 1: None})
    try:
        begins = dict(reader.positions)
        told = reader.told_ends()
        assert all(told[partition] >= begin for partition, begin in begins.items()), "a position where nothing is told"
        ends = reader.end_offsets()
        with EventProducer(access) as producer:
            for _ in range(3):
                producer.send(INDEX_DELTAS, None, b"no deltas", 1)
        ends[1] += 3
        until = time.monotonic() + 10
        while reader.told_ends() != ends:
            assert time.monotonic() < until, (reader.told_ends(), ends)
            time.sleep(0.05)
        assert reader.positions == begins, "nothing was taken"
        assert reader.end_offsets() == ends
    finally:
        reader.close()
