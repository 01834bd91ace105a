"""The units of a build on real stores, without Flink: what is counted is built; killed units are done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from feature_store.open import catalogue_store, feature_store
from feature_store.products import ProductReader, ProductStore
from indexing.build.builder import BuildSettings
from indexing.build.rows import RowBuilder
from indexing.lists.kinds import IndexKind
from indexing.rows.digest import add_digest, digest_bytes
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import load_files
from jobs.full_index.build.count import refuse_lost_products
from jobs.full_index.build.cut import Cut
from jobs.full_index.build.options import BuildTarget
from jobs.full_index.build.progress import read_progress
from jobs.full_index.build.stages import (
    Answer,
    BuildPlan,
    BuildShard,
    BuildWork,
    Built,
    FindMissing,
    Found,
    Refused,
    Unit,
    missing_features,
)
from jobs.full_index.truth.audit import PartitionAudit, Truth
from jobs.pipeline.extraction.extractors import ExtractorSpec
from schemas.deltas.delta import DeltaBatch, Progress
from schemas.errors import CorruptError
from schemas.events.record import ImageEntry, ProductRecord
from schemas.features.record import FeatureRecord
from schemas.full_index.manifest import decode_manifest
from schemas.ids import image_id, image_key, kafka_partition, sequence, shard_of_product
from tests.support.metrics import CountingMetrics

EXTRACTOR = "unit-00000000-p1-4"
EVENT_PARTITIONS, FEATURE_PARTITIONS, DELTA_PARTITIONS, SHARDS = 2, 2, 2, 3
PRODUCTS = 60
LACKING = 17
"""The product whose picture has no vector."""


def product(number: int) -> ProductRecord:
    """Every fifth is removed."""
    at = sequence(0, number)
    images = [ImageEntry(f"file:///{number}.jpg", None, at, at)]
    attributes = {"title": f"Stück {number}", "price": number, "category": f"c{number % 3}"}
    return ProductRecord(f"unit-{number}", at, number % 5 != 4, None, attributes, images)


@pytest.fixture
def plan(tmp_path: Path) -> BuildPlan:
    products = ProductStore(catalogue_store(tmp_path / "catalogue", EVENT_PARTITIONS))
    features = feature_store(tmp_path / "features", FEATURE_PARTITIONS).writer()
    for partition in range(EVENT_PARTITIONS):
        here = [n for n in range(PRODUCTS) if kafka_partition(f"unit-{n}".encode(), EVENT_PARTITIONS) == partition]
        products.write(partition, [product(n) for n in here], PRODUCTS)
    for number in range(PRODUCTS):
        if number != LACKING:
            vector = np.random.default_rng(number).standard_normal(4).astype("<f4").tobytes()
            url = f"file:///{number}.jpg"
            features.put_many([FeatureRecord(image_key(url), EXTRACTOR, vector, b"", 0, 1.0, url)])
    products.close()
    features.close()
    cut = Cut(
        catalogue=tmp_path / "catalogue",
        features=tmp_path / "features",
        event_partitions=EVENT_PARTITIONS,
        feature_partitions=FEATURE_PARTITIONS,
        delta_ends=[70, 80],
        progress=[[Progress(0, 2, 11, 1_000), Progress(1, 2, 12, 2_000)], [Progress(0, 2, 13, 3_000)]],
        oldest=[0, 0],
    )
    target = BuildTarget(ExtractorSpec(EXTRACTOR, "unit"), SHARDS, BuildSettings())
    folder = tmp_path / "generation"
    folder.mkdir()
    return BuildPlan("g20261121T000000-aaaaaa", cut, target, folder, tmp_path / "progress", tmp_path / "missing", 1)


def answers(plan: BuildPlan, *units: Unit) -> list[Answer]:
    stage = BuildWork(plan)
    stage.open(CountingMetrics())
    try:
        return [stage.process(unit) for unit in units]
    finally:
        stage.close()


def shard(plan: BuildPlan, number: int) -> Shard:
    return load_files(plan.folder / f"shard-{number}")[0]


def built(plan: BuildPlan, *numbers: int) -> list[Built]:
    found = [
        answer for answer in answers(plan, *(BuildShard(number) for number in numbers)) if isinstance(answer, Built)
    ]
    assert [answer.shard for answer in found] == list(numbers)
    return found


def test_what_is_built_is_what_is_counted(plan: BuildPlan) -> None:
    counts = [answer.count for answer in built(plan, *range(SHARDS))]
    shards = [shard(plan, number) for number in range(SHARDS)]
    assert [count.digest for count in counts] == [each.stats().digest.hex() for each in shards]
    assert [count.digest for count in counts] == [each.recompute_digest().hex() for each in shards]
    assert [count.valid_images for count in counts] == [each.stats().valid for each in shards]
    assert sum(count.valid_images for count in counts) == PRODUCTS - PRODUCTS // 5
    assert sum(each.stats().searchable for each in shards) == PRODUCTS - PRODUCTS // 5 - 1
    refuse_lost_products(counts)
    assert sum(count.products for count in counts) == counts[0].products_seen == PRODUCTS


def test_count_is_what_an_audit_of_the_catalogue_comes_to(plan: BuildPlan) -> None:
    """The replay's truth is worded by itself, over another way through the stores."""
    reader = ProductReader(catalogue_store(plan.cut.catalogue, EVENT_PARTITIONS))
    features = feature_store(plan.cut.features, FEATURE_PARTITIONS).reader()
    totals = [0] * SHARDS
    for partition in range(EVENT_PARTITIONS):
        truth = Truth(PartitionAudit(partition=partition), SHARDS, [EXTRACTOR], features.get_many)
        truth.add(list(reader.scan(partition)))
        for number, digest in enumerate(truth.finish().digests):
            totals[number] = add_digest(totals[number], bytes.fromhex(digest))
    reader.close()
    features.close()
    assert [answer.count.digest for answer in built(plan, *range(SHARDS))] == [digest_bytes(t).hex() for t in totals]


def lose_an_image(batch: DeltaBatch) -> DeltaBatch:
    """What a builder that forgets the first image would take."""
    names = [name for name in DeltaBatch.__dataclass_fields__ if name not in ("extractor_id", "progress")]
    columns = {name: getattr(batch, name)[1:] for name in names}
    return DeltaBatch(extractor_id=batch.extractor_id, progress=batch.progress, **columns)


def mix_texts_up(rows: NDArray[np.void]) -> None:
    rows["identity_offset"] = rows["identity_offset"][::-1].copy()


def mix_vectors_up(rows: NDArray[np.void]) -> None:
    with_vector = np.nonzero(rows["vector_seq"])[0]
    rows["image_id"][with_vector] = rows["image_id"][np.roll(with_vector, 1)]


@pytest.mark.parametrize("wrong", [lose_an_image, mix_texts_up, mix_vectors_up])
def test_builder_that_makes_a_mistake_does_not_come_to_the_count(
    plan: BuildPlan, wrong: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults put into the builder behind the count: the check that refuses to publish must see each of them."""
    if wrong is lose_an_image:
        add = RowBuilder.add
        monkeypatch.setattr(RowBuilder, "add", lambda self, batch: add(self, wrong(batch)))
    else:
        rows = RowBuilder.rows

        def spoilt(self: RowBuilder) -> NDArray[np.void]:
            found = rows(self)
            wrong(found)
            return found

        monkeypatch.setattr(RowBuilder, "rows", spoilt)
    (answer,) = built(plan, 0)
    manifest = decode_manifest((plan.folder / "shard-0" / "manifest.json").read_bytes())
    assert manifest.digest != answer.count.digest


def test_products_that_no_shard_took_are_refused(plan: BuildPlan) -> None:
    counts = [answer.count for answer in built(plan, *range(SHARDS))]
    for lost in (
        [*counts[:2], msgspec.structs.replace(counts[2], products=counts[2].products - 1)],
        [*counts[:2], msgspec.structs.replace(counts[2], products_seen=PRODUCTS - 1)],
    ):
        with pytest.raises(CorruptError, match="run the build anew"):
            refuse_lost_products(lost)


def test_a_shard_holds_its_own_products_alone(plan: BuildPlan) -> None:
    answers(plan, *(BuildShard(number) for number in range(SHARDS)))
    for n in range(PRODUCTS):
        found = [number for number in range(SHARDS) if shard(plan, number).product(f"unit-{n}")]
        assert found == [shard_of_product(f"unit-{n}", SHARDS)]


def test_a_removed_product_stays_as_a_tombstone_while_the_log_may_name_it(plan: BuildPlan) -> None:
    removed = [n for n in range(PRODUCTS) if n % 5 == 4]
    oldest = sequence(0, 30)
    answers(replace(plan, cut=replace(plan.cut, oldest=[oldest, oldest])), *(BuildShard(s) for s in range(SHARDS)))
    shards = [shard(plan, number) for number in range(SHARDS)]
    there = [n for n in removed if any(each.product(f"unit-{n}") for each in shards)]
    assert there == [n for n in removed if n >= 30]
    for n in there:
        (state,) = shards[shard_of_product(f"unit-{n}", SHARDS)].product(f"unit-{n}")
        assert (state.image_id, state.valid) == (image_id(f"unit-{n}", f"file:///{n}.jpg"), False)


def test_offsets_and_watermark_come_from_the_partitions_that_a_shard_reads(plan: BuildPlan) -> None:
    answers(plan, BuildShard(1))
    loaded, manifest = load_files(plan.folder / "shard-1")
    # Three shards over two partitions: each reads both, and the slower one's watermark counts.
    assert manifest.delta_offsets == {0: 70, 1: 80}
    assert manifest.generation == plan.name
    assert loaded.watermark_ms() == 0  # partition 1 has said nothing of event partition 1 yet
    whole = replace(plan.cut, progress=[plan.cut.progress[0], [Progress(0, 2, 13, 900), Progress(1, 2, 14, 3_000)]])
    shutil.rmtree(plan.folder / "shard-1")
    answers(replace(plan, cut=whole), BuildShard(1))
    assert shard(plan, 1).watermark_ms() == 900


def test_a_unit_that_flink_runs_again_is_answered_with_the_files_that_are_there(plan: BuildPlan) -> None:
    (first,) = built(plan, 0)
    before = (plan.folder / "shard-0" / "manifest.json").stat().st_mtime_ns
    (again,) = built(plan, 0)
    assert again.count == first.count
    assert again.count.products > 0
    assert (plan.folder / "shard-0" / "manifest.json").stat().st_mtime_ns == before


def test_what_a_killed_unit_left_is_built_over(plan: BuildPlan) -> None:
    for left in (".shard-0.spools", ".shard-0.unfinished"):
        (plan.folder / left).mkdir()
        (plan.folder / left / "rows").write_bytes(b"half")
    (answer,) = answers(plan, BuildShard(0))
    assert isinstance(answer, Built)
    assert sorted(path.name for path in plan.folder.iterdir()) == ["shard-0"]


def test_images_without_a_vector_are_listed(plan: BuildPlan) -> None:
    found = answers(plan, *(FindMissing(partition) for partition in range(EVENT_PARTITIONS)))
    assert sum(answer.missing for answer in found if isinstance(answer, Found)) == 1
    assert plan.missing is not None
    (missing,) = missing_features(plan.missing)
    assert (missing.product_id, missing.extractor_id) == (f"unit-{LACKING}", EXTRACTOR)


def test_what_nobody_can_build_is_refused_and_not_tried_again(plan: BuildPlan) -> None:
    impossible = replace(plan.target, settings=BuildSettings(kind=IndexKind.IVF_FLAT, nlist=10_000))
    (answer,) = answers(replace(plan, target=impossible), BuildShard(0))
    assert isinstance(answer, Refused)
    assert not answer.corrupt
    assert "lower nlist" in answer.what
    assert list(plan.folder.iterdir()) == []


def test_units_say_how_far_they_are(plan: BuildPlan) -> None:
    answers(plan, FindMissing(0), BuildShard(2))
    states = {state.unit: state for state in read_progress(plan.progress)}
    assert sorted(states) == ["catalogue-0", "shard-2"]
    assert all(state.done == 1.0 for state in states.values())
