"""Audit and healing of an index whose shards are not the partitions of `index-deltas`, on real Kafka and RocksDB."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from feature_store.open import feature_store
from indexing.rows.digest import add_digest, digest_bytes
from indexing.shard.deltas import ShardDeltas
from indexing.shard.shard import Shard
from jobs.full_index.replay.stages import Audit, AuditUnit, Heal, Healed, HealUnit, StoreCopies
from jobs.full_index.truth.audit import PartitionAudit
from jobs.full_index.truth.copies import complete_catalogue
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.stage import Record
from messaging.admin import describe
from messaging.ranges import read_all
from schemas.deltas.delta import decode_deltas
from schemas.features.record import FeatureRecord
from schemas.ids import image_key, kafka_partition, sequence, shard_of_product
from schemas.topics import INDEX_DELTAS
from tests.support.metrics import CountingMetrics

SERVING, BESIDE = "serving-0-p1-4", "beside-0-p1-8"
DIMENSIONS = {SERVING: 4, BESIDE: 8}
SHARDS, DELTA_PARTITIONS, EVENT_PARTITIONS = 3, 2, 2
NAMES = [f"heal-{number}" for number in range(40)]
LACKING = "file:///7.jpg"
"""An image whose vector is known under no extractor."""


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> StoreCopies:
    """A truth of 40 products, a tenth of them removed, and vectors of two extractors."""
    folder = tmp_path_factory.mktemp("replay-stages")
    features = feature_store(folder / "features", 1).writer()
    for extractor_id, dimension in DIMENSIONS.items():
        features.put_many([
            FeatureRecord(image_key(url), extractor_id, vector(number, dimension), b"", 0, 1.0, url)
            for number in range(len(NAMES))
            if (url := f"file:///{number}.jpg") != LACKING
        ])  # fmt: skip
    features.close()
    truth = CatalogueConfig(
        str(folder / "truth"), str(folder / "none"), EVENT_PARTITIONS, 1, DELTA_PARTITIONS, (SERVING,)
    )  # fmt: skip
    stage = CatalogueStage(truth)
    stage.open(CountingMetrics())
    for number, name in enumerate(NAMES):
        partition = kafka_partition(name.encode(), EVENT_PARTITIONS)
        images = [{"url": f"file:///{number}.jpg"}]
        events: list[dict[str, object]] = [{"type": "product_added", "product_id": name, "images": images}]
        if number % 10 == 3:
            events.append({"type": "product_removed", "product_id": name})
        stage.process([
            Record(None, json.dumps(event).encode(), partition, 2 * number + place, 0)
            for place, event in enumerate(events)
        ])  # fmt: skip
    stage.close()
    (folder / "live").mkdir()
    complete_catalogue(folder / "live", EVENT_PARTITIONS)
    return StoreCopies(
        truth=str(folder / "truth"), live=str(folder / "live"), features=str(folder / "features"),
        event_partitions=EVENT_PARTITIONS, feature_partitions=1, shards=SHARDS,
        delta_partitions=DELTA_PARTITIONS, extractors=(SERVING, BESIDE),
    )  # fmt: skip


def vector(number: int, dimension: int) -> bytes:
    values = np.random.default_rng(number).standard_normal(dimension).astype("<f4")
    return bytes((values / np.linalg.norm(values)).tobytes())


def audited(copies: StoreCopies) -> list[PartitionAudit]:
    stage = Audit(copies)
    stage.open(CountingMetrics())
    last = sequence(0, 10_000)
    units = [AuditUnit(p, last, last, sample=len(NAMES), salt="00") for p in range(EVENT_PARTITIONS)]
    found = [stage.process(unit) for unit in units]
    stage.close()
    return found


def healed(copies: StoreCopies, bootstrap: str, whole: list[int]) -> tuple[Healed, list[tuple[int, bytes]]]:
    """What the units answer, and the deltas that they have sent, each with its partition."""
    before = describe(bootstrap, [INDEX_DELTAS])[INDEX_DELTAS].ends
    assert len(before) == DELTA_PARTITIONS
    stage = Heal(copies, bootstrap)
    stage.open(CountingMetrics())
    units = [HealUnit(partition, whole, [], 0) for partition in range(EVENT_PARTITIONS)]
    answers = [stage.process(unit) for unit in units]
    stage.close()
    sent = [
        (partition, message.value or b"")
        for partition in range(DELTA_PARTITIONS)
        for message in read_all(bootstrap, INDEX_DELTAS, partition)
        if message.offset >= before[partition]
    ]
    return Healed(sum(each.products for each in answers), sum(each.rows for each in answers)), sent


def grown(shard: int, extractor_id: str, sent: list[tuple[int, bytes]]) -> Shard:
    """A shard of three that has applied these deltas alone."""
    index = Shard(extractor_id, DIMENSIONS[extractor_id])
    reads = ShardDeltas(shard, SHARDS, DELTA_PARTITIONS)
    for partition, value in sent:
        if partition in reads.partitions:
            index.apply(reads.of(decode_deltas(value), partition))
    return index


def truth_of(copies: StoreCopies, shard: int) -> str:
    total = 0
    for audit in audited(copies):
        total = add_digest(total, bytes.fromhex(audit.digests[shard]))
    return digest_bytes(total).hex()


def test_healed_shard_is_the_truth_and_no_other_shard_is_sent_anything(copies: StoreCopies, kafka_broker: str) -> None:
    answer, sent = healed(copies, kafka_broker, whole=[1])
    own = [name for name in NAMES if shard_of_product(name, SHARDS) == 1]
    assert answer.products == len(own)
    assert answer.rows == sum(len(decode_deltas(value)) for _, value in sent)
    shard = grown(1, SERVING, sent)
    assert shard.stats().digest.hex() == truth_of(copies, 1)
    assert shard.stats().valid > 0
    assert [grown(other, SERVING, sent).stats().images for other in (0, 2)] == [0, 0]
    for partition, value in sent:
        batch = decode_deltas(value)
        assert {shard_of_product(name, DELTA_PARTITIONS) for name in batch.product_id} == {partition}
        assert batch.progress == []  # what the stream has not delivered must not be said to be there


def test_healing_reaches_generations_of_another_extractor_that_are_held_beside(
    copies: StoreCopies, kafka_broker: str
) -> None:
    _, sent = healed(copies, kafka_broker, whole=[0, 1, 2])
    beside = replace(copies, extractors=(BESIDE,))
    for shard in range(SHARDS):
        assert grown(shard, SERVING, sent).stats().digest.hex() == truth_of(copies, shard)
        assert grown(shard, BESIDE, sent).stats().digest.hex() == truth_of(beside, shard)


def test_missing_vectors_are_named_for_each_extractor(copies: StoreCopies) -> None:
    missing = [feature for audit in audited(copies) for feature in audit.missing_features]
    assert sorted((feature.extractor_id, feature.url) for feature in missing) == [(BESIDE, LACKING), (SERVING, LACKING)]


def test_sample_is_asked_of_the_shards_of_the_serving_generation(copies: StoreCopies) -> None:
    sample = [product for audit in audited(copies) for product in audit.sample]
    assert {product.product_id: product.shard for product in sample} == {
        name: shard_of_product(name, SHARDS) for name in NAMES
    }
