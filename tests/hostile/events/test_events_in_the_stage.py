"""Thousands of hostile events against the catalogue stage on real stores, in this process: no Kafka, no Flink."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from indexing.shard.shard import Shard
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.core import Outcome
from jobs.pipeline.stage import Out, Record
from schemas.deltas.delta import decode_deltas
from schemas.events.dead_letter import decode_dead_letter
from schemas.events.extract_request import decode_request
from schemas.events.record import decode_record
from schemas.ids import kafka_partition
from schemas.topics import CATALOGUE_RECORDS, DEAD_LETTERS, EXTRACT_REQUESTS, INDEX_DELTAS, PRODUCT_EVENTS
from tests.support.hostile_events import heavy_product, hostile_events, large_refused
from tests.support.metrics import CountingMetrics

SEED = 20261124
EVENTS = 6000
PARTITIONS = 2
EXTRACTOR = "test-0-p1-8"
REASONS = {"empty", "too_large", "not_json", "invalid_event", "cloudevent", "unknown_product"}
TIMES_WHAT_WAS_READ = 2.0
ROOM = 2**20
"""A call may return so many times the bytes that it was handed, and this much: Flink bounds what it hands over, and a
task manager holds what comes back all at a time, several times over."""


class World:
    """A stage, the log it reads and the shards that follow it."""

    def __init__(self, folder: Path) -> None:
        self.metrics = CountingMetrics()
        self.reasons: Counter[str] = Counter()
        self._folder = folder
        self._log: list[Record] = []
        self._offsets = [0] * PARTITIONS
        self.shard = Shard(EXTRACTOR, 8)
        self.stage = self._open()

    def _open(self, *, forward: bool = True) -> CatalogueStage:
        config = CatalogueConfig(
            store_folder=str(self._folder / "catalogue"),
            feature_folder=str(self._folder / "features"),
            event_partitions=PARTITIONS,
            feature_partitions=1,
            delta_partitions=1,
            extractors=(EXTRACTOR,),
            forward_misplaced=forward,
        )
        stage = CatalogueStage(config)
        stage.open(self.metrics)
        return stage

    def record(self, key: bytes | None, value: bytes) -> Record:
        """The next record of the partition that the key leads to."""
        partition = kafka_partition(key or b"", PARTITIONS)
        self._offsets[partition] += 1
        record = Record(key, value, partition, self._offsets[partition] - 1, 1_700_000_000_000 + len(self._log))
        self._log.append(record)
        return record

    def process(self, batch: list[Record]) -> list[Out]:
        """Runs the stage, takes up what it returns as its readers would, and feeds it what it sends on."""
        out = self.stage.process(batch)
        forwarded = []
        for each in out:
            if each.topic == DEAD_LETTERS:
                self.reasons[decode_dead_letter(each.value).reason] += 1
            elif each.topic == INDEX_DELTAS:
                self.shard.apply(decode_deltas(each.value))
            elif each.topic == EXTRACT_REQUESTS:
                decode_request(each.value)
            elif each.topic == CATALOGUE_RECORDS:
                assert decode_record(each.value).product_id.encode() == each.key
            else:
                assert each.topic == PRODUCT_EVENTS
                forwarded.append(self.record(each.key, each.value))
        return out + (self.process(forwarded) if forwarded else [])

    def replay(self) -> None:
        """The whole log again; misplaced events are skipped, for their copies lie in it as well."""
        self.stage.close()
        self.stage = self._open(forward=False)
        log = list(self._log)
        for start in range(0, len(log), 250):
            self.process(log[start : start + 250])

    def written(self) -> int:
        return len(self._log)

    def accounted(self) -> int:
        """Events of which the stage says what became of them."""
        names = [*(outcome.value for outcome in Outcome), "events_misplaced", "dead_letters", "events_replayed"]
        return sum(self.metrics.counts[name] for name in names)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.stage.close()


def test_every_hostile_event_is_used_or_refused_and_a_replay_of_all_changes_nothing(world: World) -> None:
    heartbeats = 0
    drawn = hostile_events(SEED, EVENTS)
    while some := list(islice(drawn, 250)):
        heartbeats += sum(_is_heartbeat(event.value) for event in some)
        world.process([world.record(event.key, event.value) for event in some])
    assert world.accounted() + heartbeats == world.written()
    assert set(world.reasons) == REASONS
    assert world.metrics.counts[Outcome.APPLIED.value] > EVENTS / 20, "hardly an attack got past the door"
    before = world.shard.stats()
    assert before.valid > 100

    world.replay()
    after = world.shard.stats()
    assert (after.digest, after.valid) == (before.digest, before.valid)

    good = {"type": "product_added", "product_id": "good", "images": [{"url": "https://example.com/1.jpg"}]}
    world.process([world.record(b"good", json.dumps(good).encode())])
    assert [image.valid for image in world.shard.product("good")] == [True]


def _is_heartbeat(value: bytes) -> bool:
    """Whether the stage counts it nowhere: a heartbeat that it accepts."""
    try:
        event = json.loads(value)
        partition = event["partition"]
        return event["type"] == "heartbeat" and type(partition) is int and 0 <= partition < 2**31
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def test_one_heavy_product_is_bounded_in_what_the_stage_returns(world: World) -> None:
    heavy = heavy_product("heavy", [f"https://example.com/{n}.jpg" for n in range(120)])
    batch = [world.record(b"heavy", json.dumps(heavy).encode())]
    out = world.process(batch)
    assert sum(image.valid for image in world.shard.product("heavy")) == 120
    assert _is_bounded(batch, out)


def test_refused_events_of_the_largest_size_are_bounded_in_what_the_stage_returns(world: World) -> None:
    batch = [world.record(b"large", value) for value in large_refused(20)]
    assert _is_bounded(batch, world.process(batch))


def _is_bounded(batch: list[Record], out: list[Out]) -> bool:
    read, returned = sum(len(each.value or b"") for each in batch), sum(len(each.value) for each in out)
    assert returned <= TIMES_WHAT_WAS_READ * read + ROOM, f"{returned} bytes came of {read}"
    return True
