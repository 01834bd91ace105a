"""What builds, replays and erasures make of vectors that events brought: the same as of extracted ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_store.open import catalogue_store, feature_store
from feature_store.products import ProductReader
from indexing.build.builder import BuildSettings
from jobs.full_index.build.cut import Cut
from jobs.full_index.build.missing import Extracted, MissingVectors
from jobs.full_index.build.options import BuildTarget
from jobs.full_index.build.stages import BuildPlan, BuildShard, BuildWork, Built, FindMissing, Found
from jobs.full_index.replay.erasures import erased_features, erasure_request
from jobs.full_index.truth.audit import MissingFeature, PartitionAudit, Truth
from jobs.pipeline.extraction.extractors import ExtractorSpec, configured
from jobs.pipeline.stage import Out
from schemas.deltas.delta import Progress
from schemas.events.extract_request import encode_request
from schemas.ids import feature_partition, routing_key
from schemas.settings import load_settings
from schemas.topics import EXTRACT_REQUESTS
from tests.support.metrics import CountingMetrics
from tests.support.stages.given_vectors import EXTRACTOR, FEATURE_PARTITIONS, A, B, GivenVectorsWorld, added

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GivenVectorsWorld]:
    """Products that were added, changed, taken down, listed again and erased."""
    world = GivenVectorsWorld(tmp_path)
    world.extract(
        world.feed(*(added(f"p{number}", front=[1.0, number, -2.0], back=[number, 0.5, 1.0]) for number in range(20)))
    )
    world.extract(world.feed(added("p1", front=A), {"type": "product_removed", "product_id": "p2"}))
    update = {"type": "product_updated", "product_id": "p2", "images_added": [{"url": "front", "vector": B}]}
    world.extract(world.feed(update, {"type": "product_removed", "product_id": "p3"}))
    world.extract(world.feed({"type": "product_added", "product_id": "p2"}))
    world.feed({"type": "product_erased", "product_id": "p4"})
    yield world
    world.close()


def test_built_and_audited_shard_is_the_one_that_the_stream_grew(world: GivenVectorsWorld) -> None:
    digest = world.shard.stats().digest.hex()
    cut = Cut(
        world.folder / "catalogue", world.folder / "features", 1, FEATURE_PARTITIONS, delta_ends=[9],
        progress=[[Progress(0, 1, world.offset, 1_000)]], oldest=[0],
    )  # fmt: skip
    target = BuildTarget(ExtractorSpec(EXTRACTOR, EXTRACTOR), 1, BuildSettings())
    (world.folder / "generation").mkdir()
    work = BuildWork(
        BuildPlan("g20261121T000000-aaaaaa", cut, target, world.folder / "generation", world.folder / "progress")
    )
    work.open(CountingMetrics())
    built, missing = work.process(BuildShard(0)), work.process(FindMissing(0))
    work.close()
    assert isinstance(built, Built)
    assert isinstance(missing, Found)
    assert (built.count.digest, built.ignored_vectors, missing.missing) == (digest, 0, 0)
    audit = PartitionAudit(partition=0)
    features = feature_store(world.folder / "features", FEATURE_PARTITIONS).reader(catch_up_interval_ms=0)
    truth = Truth(audit, 1, [EXTRACTOR], features.get_many)
    products = ProductReader(catalogue_store(world.folder / "catalogue", 1))
    truth.add(list(products.scan(0)))
    products.close()
    features.close()
    assert truth.finish().digests == [digest]
    assert audit.missing_features == []


def test_vectors_of_an_erased_product_are_found_and_deleted_by_their_owner(world: GivenVectorsWorld) -> None:
    products = ProductReader(catalogue_store(world.folder / "catalogue", 1))
    features = feature_store(world.folder / "features", FEATURE_PARTITIONS).reader(catch_up_interval_ms=0)
    found = erased_features(products, features, [0])
    assert {(each.product_id, each.extractor_id) for each in found} == {("p4", EXTRACTOR)}
    products.close()
    features.close()
    requests = []
    for each in found:
        key = routing_key(feature_partition(each.image_key, FEATURE_PARTITIONS), FEATURE_PARTITIONS)
        requests.append(Out(EXTRACT_REQUESTS, key, encode_request(erasure_request(each))))
    assert world.extract(requests) == []
    assert world.stored("front", [1.0, 4, -2.0]) is None
    assert world.stored("front", [1.0, 5, -2.0]) is not None


def test_build_asks_nobody_for_vectors_that_the_shop_has_not_sent(tmp_path: Path) -> None:
    settings = load_settings({}, home=str(tmp_path), encoder=EXTRACTOR, kafka_bootstrap="127.0.0.1:1")
    missing = MissingFeature("p1", "front", None, 1, EXTRACTOR)
    found = MissingVectors(settings, configured(settings)[0], 1.0).extract([missing], 1, tmp_path)
    assert found == Extracted(given_up=1)


def test_what_words_look_like_is_learned_without_the_network_that_there_is_not() -> None:
    code = (
        "import sys; from types import SimpleNamespace as Some; from jobs.full_index.build.meaning import known_of;"
        f"generation = Some(encoder={EXTRACTOR!r}, weights='', extractor_id={EXTRACTOR!r});"
        "assert known_of(generation, None) is None; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
