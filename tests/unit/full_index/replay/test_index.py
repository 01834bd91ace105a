"""Which index a replay compares, and what its replicas' digests are found to say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from generations.folder import Generations, seal_generation
from jobs.full_index.replay.index import ServingIndex, kept_beside, serving_index
from jobs.full_index.replay.live_shards import LiveShards, ReplicaState, of_serving
from jobs.full_index.replay.shards import verdicts
from jobs.pipeline.extraction.extractors import ExtractorSpec
from schemas.full_index.generation import LIVE, Generation, GenerationShard
from schemas.search_pb2 import ShardStatus, StatusResponse
from schemas.settings import Settings, load_settings
from tests.ports import free_block

MAIN, FURTHER = ExtractorSpec("main-0-p1-4", "main"), ExtractorSpec("other-0-p1-4", "other")
UNUSED = ExtractorSpec("unused-0-p1-4", "unused")
OLD, NEW = "g20261101T000000-aaaaaa", "g20261108T000000-bbbbbb"


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Of a system whose broker is not there."""
    yield load_settings({}, home=str(tmp_path), shards=2, grpc_port=free_block(8))


def generations_of(settings: Settings) -> Generations:
    return Generations(settings.layout.generations)


def compared(settings: Settings) -> ServingIndex:
    return serving_index(settings.tier, generations_of(settings), settings.shards, MAIN)


def publish(settings: Settings, name: str, extractor: ExtractorSpec, shards: int) -> Generations:
    shard = GenerationShard(
        manifest="", bytes=0, images=0, valid=0, searchable=0, digest="", kind="exact", lists=0, nprobe=0, recall=1.0
    )
    generation = Generation(
        name=name, created_ms=1, extractor_id=extractor.extractor_id, encoder=extractor.encoder, weights="",
        dimension=4, delta_partitions=2, delta_offsets=[0, 0], shards=[shard] * shards, catalogue_valid=0,
        catalogue_digests=[""] * shards,
    )  # fmt: skip
    generations = generations_of(settings)
    (generations.folder / name).mkdir(parents=True)
    seal_generation(generations.folder / name, generation)
    generations.serve(name)
    return generations


def test_without_a_full_index_the_one_grown_from_deltas_is_compared(settings: Settings) -> None:
    assert compared(settings) == ServingIndex(LIVE, 2, MAIN.extractor_id)


def test_with_the_broker_away_the_alias_says_how_many_shards_and_which_extractor(settings: Settings) -> None:
    publish(settings, NEW, FURTHER, 3)
    assert compared(settings) == ServingIndex(NEW, 3, FURTHER.extractor_id)


def test_only_extractors_that_somebody_searches_with_are_looked_after(settings: Settings) -> None:
    configured = [MAIN, FURTHER, UNUSED]
    live = ServingIndex(LIVE, 2, MAIN.extractor_id)
    assert kept_beside(generations_of(settings), live, configured) == []
    publish(settings, OLD, FURTHER, 2)
    generations = publish(settings, NEW, MAIN, 2)
    generations.hold_beside([OLD])
    assert kept_beside(generations_of(settings), ServingIndex(NEW, 2, MAIN.extractor_id), configured) == [
        FURTHER.extractor_id
    ]
    assert kept_beside(generations_of(settings), ServingIndex(OLD, 2, FURTHER.extractor_id), configured) == [
        MAIN.extractor_id
    ]


def test_first_publication_that_was_taken_back_leaves_the_live_index(settings: Settings) -> None:
    generations = publish(settings, NEW, FURTHER, 3)
    generations.take_back(NEW, None)
    generations.hold_beside([NEW])
    live = ServingIndex(LIVE, 2, MAIN.extractor_id)
    assert compared(settings) == live
    assert kept_beside(generations_of(settings), live, [MAIN, FURTHER]) == [FURTHER.extractor_id]


def status(shard: int, generation: str, shards: int, **fields: object) -> ShardStatus:
    return ShardStatus(shard=shard, generation=generation, shards=shards, digest=bytes([shard] * 16), **fields)  # type: ignore[arg-type]


def test_shards_of_other_generations_are_not_compared() -> None:
    response = StatusResponse(
        serving=NEW,
        serving_extractor_id="e",
        shards=[
            status(0, NEW, 3, lag=2), status(0, LIVE, 2), status(1, LIVE, 2),
            status(1, NEW, 3), status(2, NEW, 3, error="gone"),
        ],
    )  # fmt: skip
    live = of_serving(response)
    assert (live.generation, live.extractor_id, live.shards) == (NEW, "e", 3)
    assert [(replica.shard, replica.lag) for replica in live.replicas] == [(0, 2), (1, 0)]


def shown(*digests: str) -> LiveShards:
    replicas = [ReplicaState(shard=shard, replica=0, digest=digest, lag=0) for shard, digest in enumerate(digests)]
    return LiveShards(generation=NEW, extractor_id="e", shards=3, replicas=replicas)


def words(found: LiveShards | None, moved_on: bool = False) -> list[str]:
    return [each.verdict for each in verdicts(["aa", "bb", "cc"], 1, found, moved_on)]


def test_every_shard_of_the_serving_generation_gets_a_verdict() -> None:
    assert words(shown("aa", "b0")) == ["equal", "different", "away"]


def test_shard_whose_digest_may_have_moved_on_is_not_called_different() -> None:
    assert words(shown("aa", "b0"), moved_on=True) == ["equal", "moved_on", "away"]


def test_all_shards_are_away_while_the_broker_is_silent() -> None:
    assert words(None) == ["away"] * 3
