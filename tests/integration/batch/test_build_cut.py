"""How far the records before a cut reach into the log, read back from a real Kafka."""

from __future__ import annotations

import pytest

from jobs.full_index.build import cut as build_cut
from jobs.full_index.build.cut import last_progress
from messaging.admin import describe
from messaging.producer import EventProducer
from schemas.deltas.check import DeltaCheck
from schemas.deltas.delta import DeltaBatch, Progress, encode_deltas
from schemas.ids import sequence
from schemas.topics import INDEX_DELTAS

CHECK = DeltaCheck(2, 2)


def write(bootstrap: str, batches: list[list[Progress]]) -> tuple[int, int]:
    """Appends records with that progress to partition 0: the offset of the first, and the one behind the last."""
    begin = describe(bootstrap, [INDEX_DELTAS])[INDEX_DELTAS].ends[0]
    with EventProducer(bootstrap) as producer:
        for progress in batches:
            producer.send(INDEX_DELTAS, None, encode_deltas(DeltaBatch("e", progress)), 0)
    return begin, describe(bootstrap, [INDEX_DELTAS])[INDEX_DELTAS].ends[0]


def at(partition: int, offset: int) -> Progress:
    return Progress(partition, 2, sequence(0, offset), 1000 + offset)


def test_the_latest_word_on_each_event_partition_counts(kafka_broker: str) -> None:
    begin, end = write(kafka_broker, [[at(0, 1)], [at(1, 5)], [at(0, 2)], []])
    assert sorted(last_progress(kafka_broker, 0, begin, end, 2, CHECK), key=lambda p: p.partition) == [
        at(0, 2),
        at(1, 5),
    ]


def test_records_behind_the_cut_say_nothing(kafka_broker: str) -> None:
    begin, end = write(kafka_broker, [[at(0, 1), at(1, 1)]])
    write(kafka_broker, [[at(0, 9), at(1, 9)]])
    assert {p.sequence for p in last_progress(kafka_broker, 0, begin, end, 2, CHECK)} == {sequence(0, 1)}


def test_a_partition_that_spoke_long_ago_is_found_further_back(
    kafka_broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_cut, "FIRST_RECORDS", 3)
    begin, end = write(kafka_broker, [[at(1, 7)], *([at(0, n)] for n in range(40))])
    assert {p.partition for p in last_progress(kafka_broker, 0, begin, end, 2, CHECK)} == {0, 1}


def test_reading_back_ends_although_a_partition_never_spoke(kafka_broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_cut, "FIRST_RECORDS", 3)
    monkeypatch.setattr(build_cut, "MOST_RECORDS", 30)
    begin, end = write(kafka_broker, [[at(1, 7)], *([at(0, n)] for n in range(40))])
    assert last_progress(kafka_broker, 0, begin, end, 2, CHECK) == [at(0, 39)]


def test_what_nobody_believes_says_nothing_and_holds_no_cut_up(kafka_broker: str) -> None:
    forged = [Progress(99, 2, sequence(0, 9), 1009), Progress(0, 100, sequence(0, 9), 1009), at(1, -5)]
    begin, _ = write(kafka_broker, [[at(0, 1), at(1, 1)], forged])
    with EventProducer(kafka_broker) as producer:
        producer.send(INDEX_DELTAS, None, b"no delta", 0)
    _, end = write(kafka_broker, [[]])
    found = last_progress(kafka_broker, 0, begin, end, 2, CHECK)
    assert sorted(found, key=lambda p: p.partition) == [at(0, 1), at(1, 1)]


def test_an_empty_partition_says_nothing(kafka_broker: str) -> None:
    begin, end = write(kafka_broker, [])
    assert last_progress(kafka_broker, 0, begin, end, 2, CHECK) == []
