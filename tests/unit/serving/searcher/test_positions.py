"""Where a searcher continues: its snapshots, what index-deltas still hold, and the next full index."""

from __future__ import annotations

import logging
import shutil

import msgspec
import pytest

from schemas.errors import TransientError
from schemas.full_index.manifest import decode_manifest, encode_manifest
from schemas.settings import Settings
from tests.support.serving.generations import (
    STOCK,
    Searcher,
    build_generation,
    error,
    generations,
    products,
    published,
    running,
    wait,
)
from tests.support.serving.world import MemoryTopic, batch, removed


def test_each_generation_restarts_from_its_own_snapshot(settings: Settings, topic: MemoryTopic) -> None:
    first, second = published(settings, topic), build_generation(settings, products(), topic.ends())
    generations(settings).hold_beside([second.name])
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: set(searcher.ready()) == {first, second.name})
        topic.send(removed(batch(), searcher.found()[0]))
        wait(lambda: all(status.delta_offset == 2 for status in searcher.status().values()))
        before = {name: status.digest for name, status in searcher.status().items()}
    for name in (first, second.name):
        shutil.rmtree(generations(settings).shard_folder(name, 0))  # not needed again
    topic.partitions[0].values[:] = [b"never read again"] * 2
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: set(searcher.ready()) == {first, second.name})
        assert {name: status.digest for name, status in searcher.status().items()} == before


def test_position_that_the_topic_lost_takes_the_full_index(
    settings: Settings, topic: MemoryTopic, caplog: pytest.LogCaptureFixture
) -> None:
    name = published(settings, topic)
    topic.send(products(["p100", "p101", "p102", "p103"]))
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [name])
        before = searcher.found()
    (manifest,) = (settings.layout.shard_folder(0, 0, name) / "snapshot").glob("*/manifest.json")
    stale = msgspec.structs.replace(decode_manifest(manifest.read_bytes()), delta_offsets={0: 0})
    manifest.write_bytes(encode_manifest(stale))  # as one that was put back from a backup
    for partition in topic.partitions:
        partition.drop_before(1)
    with caplog.at_level(logging.INFO), running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [name])
        assert searcher.found() == before
    assert "event=position_lost" in caplog.text
    assert "index-deltas/0 begins at 1" in caplog.text
    assert "next=full_index" in caplog.text


def test_searcher_that_was_away_too_long_takes_the_next_full_index(settings: Settings, topic: MemoryTopic) -> None:
    old = published(settings, topic)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [old])
    topic.send(products(["p102"]))
    topic.send(batch())
    for partition in topic.partitions:
        partition.drop_before(2)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: "vitrine build" in error(searcher, old))
        new = build_generation(settings, products([*STOCK, "p102"]), topic.ends()).name
        generations(settings).serve(new)
        wait(lambda: searcher.status().keys() == {new})
        wait(lambda: searcher.ready() == [new])
        assert "p102" in searcher.found()


def test_full_index_older_than_the_topic_asks_for_a_new_one(settings: Settings, topic: MemoryTopic) -> None:
    name = published(settings, topic)
    for partition in topic.partitions:
        partition.append(batch())
        partition.drop_before(2)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: "vitrine build" in error(searcher, name))
        assert "begins at 2" in error(searcher, name)
        assert searcher.ready() == []
        with pytest.raises(TransientError, match="not_ready"):
            searcher.found()


def test_generation_of_another_number_of_partitions_is_refused(settings: Settings, topic: MemoryTopic) -> None:
    name = build_generation(settings, products(), [0, 0, 0]).name
    generations(settings).serve(name)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: "VITRINE_DELTA_PARTITIONS=3" in error(searcher, name))
