"""The searcher's writer, over a real shard; the log is its in-memory twin."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from messaging.consumer import Message
from messaging.ranges import LogReader
from schemas.errors import TransientError
from serving.searcher import service
from serving.searcher.service import SearcherService
from tests.support.serving.feed import error_of, fed, found, of, wait
from tests.support.serving.world import (
    WATERMARK_MS,
    MemoryPartition,
    batch,
    direction,
    query,
    removed,
)


def test_feed_applies_what_is_there_then_is_ready_then_follows(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("a"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
        assert found(searcher) == ["a"]
        partition.append(removed(batch(timestamp_ms=WATERMARK_MS + 5), "a"))
        wait(lambda: found(searcher) == [])
        answer = searcher.search(query(direction(1)))
        assert answer.watermark_ms == WATERMARK_MS + 5
        status = searcher.status().shards[0]
        assert (status.delta_offset, status.ready, status.error) == (2, True, "")
        assert searcher.metrics.late_removals._value.get() == 1, "its stamp is of long ago"


def test_empty_topic_is_ready_at_once(tmp_path: Path) -> None:
    with fed(MemoryPartition(), tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
        assert found(searcher) == []


def test_delta_that_does_not_decode_is_skipped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    partition = MemoryPartition()
    partition.append(of("a"))
    partition.append(b"no delta at all")
    partition.append(b"")
    partition.append(of("b"))
    with caplog.at_level(logging.WARNING), fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
        assert sorted(found(searcher)) == ["a", "b"]
        assert searcher.metrics.undecodable._value.get() == 2
    assert "event=delta_skipped shard=0 replica=0 generation=live partition=0 offset=1" in caplog.text


class Stalling:
    """A reader whose poll does not come back while `held` is set, as in a process that is stopped."""

    def __init__(self, partition: MemoryPartition, held: threading.Event, ends_from: list[int]) -> None:
        self._reader = partition.open({0: 0})
        self._held = held
        self._ends_from = ends_from
        self.positions = self._reader.positions
        self.beginning_offsets = self._reader.beginning_offsets
        self.told_ends = self._reader.told_ends
        self.close = self._reader.close

    def poll(self, max_records: int = 1000, timeout_s: float = 0.1) -> list[Message]:
        while self._held.is_set():
            time.sleep(0.005)
        return self._reader.poll(min(max_records, 1), timeout_s)

    def end_offsets(self, timeout_s: float = 10.0) -> dict[int, int]:
        if self._ends_from:
            raise TransientError("kafka_unavailable", "no broker")
        return self._reader.end_offsets(timeout_s)


def test_searcher_that_was_stopped_answers_again_only_when_it_caught_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "STALLED_S", 0.3)
    partition, held, away = MemoryPartition(), threading.Event(), list[int]()
    partition.append(of("a"))
    with fed(partition, tmp_path, open_reader=lambda _: Stalling(partition, held, away)) as searcher:
        wait(lambda: searcher.is_ready)
        assert found(searcher) == ["a"]
        held.set()
        wait(lambda: not _answers(searcher))
        with pytest.raises(TransientError, match="not followed index-deltas"):
            found(searcher)
        for _ in range(200):
            partition.append(batch())
        partition.append(removed(batch(), "a"))
        held.clear()
        wait(lambda: _answers(searcher))
        assert found(searcher) == []  # never with what it knew before


def test_searcher_that_was_stopped_goes_on_with_what_it_has_while_kafka_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "STALLED_S", 0.2)
    partition, held, away = MemoryPartition(), threading.Event(), list[int]()
    partition.append(of("a"))
    with fed(partition, tmp_path, open_reader=lambda _: Stalling(partition, held, away)) as searcher:
        wait(lambda: searcher.is_ready)
        away.append(1)
        held.set()
        wait(lambda: not _answers(searcher))
        held.clear()
        wait(lambda: _answers(searcher))
        assert found(searcher) == ["a"]


def _answers(searcher: SearcherService) -> bool:
    try:
        found(searcher)
    except TransientError:
        return False
    return True


def test_kafka_that_is_away_at_start_is_waited_for(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("a"))
    attempts = []

    def open_reader(offsets: Mapping[int, int | None]) -> LogReader:
        attempts.append(offsets)
        if len(attempts) < 2:
            raise TransientError("kafka_unavailable", "no broker")
        return partition.open(offsets)

    with fed(partition, tmp_path, open_reader=open_reader) as searcher:
        wait(lambda: searcher.is_ready)
        assert found(searcher) == ["a"]


def test_feed_that_waits_for_kafka_can_be_stopped(tmp_path: Path) -> None:
    def open_reader(_offsets: Mapping[int, int | None]) -> LogReader:
        raise TransientError("kafka_unavailable", "no broker")

    with fed(MemoryPartition(), tmp_path, open_reader=open_reader) as searcher:
        assert not searcher.is_ready


def test_fault_of_the_writer_takes_the_replica_out(tmp_path: Path) -> None:
    partition = MemoryPartition()
    partition.append(of("a"))
    with fed(partition, tmp_path) as searcher:
        wait(lambda: searcher.is_ready)
        partition.values.append(None)  # type: ignore[arg-type]  # decoded as b"", hence skipped
        partition.values.append(7)  # type: ignore[arg-type]  # no bytes: a bug, not bad data
        wait(lambda: "TypeError" in error_of(searcher))
        with pytest.raises(TransientError, match="not_ready"):
            found(searcher)
