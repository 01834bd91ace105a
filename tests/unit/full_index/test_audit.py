"""The comparison of truth and live catalogue, and the digest that shards are held to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np

from indexing.shard.shard import Shard
from jobs.full_index.truth.audit import Comparison, PartitionAudit, Truth
from jobs.pipeline.core import add_state, display_attributes
from schemas.deltas.delta import DeltaBatch
from schemas.events.record import ImageEntry, ProductRecord
from schemas.features.record import FeatureRecord
from schemas.ids import ImageKey, image_key, shard_of_product

SHARDS = 2
DIMENSION = 8


def product(name: str, sequence: int, *, listed: bool = True, images: int = 1, **attributes: object) -> ProductRecord:
    entries = [ImageEntry(f"file:///{name}-{n}", None, sequence, sequence, n != 2) for n in range(images)]
    return ProductRecord(name, sequence, listed, None, dict(attributes), entries)


def compared(truth: list[ProductRecord], live: list[ProductRecord], *, end: int, applied: int) -> PartitionAudit:
    audit = PartitionAudit(partition=0)
    merged = Comparison(audit, end, applied).merge(truth, live)
    assert list(merged) == truth
    return audit


def counts(audit: PartitionAudit) -> dict[str, int]:
    names = ("missing", "unknown", "different", "behind", "moved_on")
    return {name: count for name in names if (count := getattr(audit, name))}


def test_equal_catalogues_differ_in_nothing() -> None:
    records = [product("a", 1), product("b", 2, price=3)]
    assert counts(compared(records, [product("a", 1), product("b", 2, price=3)], end=2, applied=2)) == {}


def test_every_kind_of_difference_is_told_apart() -> None:
    truth = [product("b", 2), product("c", 3, price=1), product("d", 4), product("e", 9), product("f", 6)]
    live = [product("a", 1), product("c", 3, price=2), product("d", 20), product("e", 5), product("g", 30)]
    audit = compared(truth, live, end=10, applied=8)
    assert counts(audit) == {"unknown": 1, "missing": 2, "different": 1, "moved_on": 2, "behind": 1}
    assert sorted(audit.examples) == ["a: unknown", "b: missing", "c: different", "f: missing"]


def test_what_the_stream_has_not_reached_is_behind_and_no_difference() -> None:
    assert counts(compared([product("a", 9)], [], end=10, applied=5)) == {"behind": 1}


def test_digests_are_those_of_shards_that_applied_the_truth() -> None:
    chooser = random.Random(3)
    records = [
        product(f"p{n:03}", n + 1, listed=n % 7 != 0, images=n % 4, price=chooser.random(), title="Stuhl", sales=n)
        for n in range(60)
    ]
    vectors = {
        image_key(entry.url, entry.version): np.random.default_rng(n).random(DIMENSION, dtype=np.float32).tobytes()
        for n, record in enumerate(records)
        for entry in record.images
        if n % 5
    }

    def features(keys: Sequence[ImageKey], extractor_id: str) -> list[FeatureRecord | None]:
        known = vectors if extractor_id == "x" else {}
        return [FeatureRecord(key, "x", known[key], b"", 0, 0.0) if key in known else None for key in keys]

    audit = PartitionAudit(partition=0)
    truth = Truth(audit, SHARDS, ["x", "y"], features, sample=10, salt=b"night")
    truth.add(records[:30])
    truth.add(records[30:])
    truth.finish()
    shards = [Shard("x", DIMENSION) for _ in range(SHARDS)]
    for record in records:
        batch = DeltaBatch(extractor_id="x")
        for entry in record.images:
            vector = vectors.get(image_key(entry.url, entry.version))
            add_state(batch, record, entry, vector, display_attributes(record))
        shards[shard_of_product(record.product_id, SHARDS)].apply(batch)
    assert audit.digests == [shard.stats().digest.hex() for shard in shards]
    assert audit.valid_images == sum(shard.stats().valid for shard in shards)
    missing = Counter(feature.extractor_id for feature in audit.missing_features)
    assert missing["x"] == sum(shard.stats().pending for shard in shards) > 0
    assert missing["y"] == audit.valid_images  # another extractor's vectors are looked after as well
    assert len(audit.sample) == len({each.product_id for each in audit.sample}) == 10


def test_sample_does_not_depend_on_the_order_of_reading() -> None:
    records = [product(f"p{n}", n + 1) for n in range(50)]
    samples = []
    for order in (records, records[::-1]):
        audit = PartitionAudit(partition=0)
        truth = Truth(audit, SHARDS, ["x"], lambda keys, _: [None] * len(keys), sample=5, salt=b"a")
        truth.add(order)
        samples.append({each.product_id for each in truth.finish().sample})
    assert samples[0] == samples[1]
