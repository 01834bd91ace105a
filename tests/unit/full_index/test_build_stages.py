"""The units of a build on real stores, without Flink: what one counts, the other builds; killed ones are done again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from feature_store.open import catalogue_store, feature_store
from feature_store.products import ProductStore
from indexing.build import BuildSettings
from indexing.digest import add_digest, digest_bytes
from indexing.kinds import IndexKind
from indexing.shard import Shard
from indexing.snapshot import load_files
from jobs.full_index.build_cut import Cut
from jobs.full_index.build_options import BuildTarget
from jobs.full_index.build_progress import read_progress
from jobs.full_index.build_stages import (
    Answer,
    BuildPlan,
    BuildShard,
    BuildStage,
    Built,
    Counted,
    CountPartition,
    Refused,
    Unit,
    missing_features,
)
from jobs.pipeline.extractors import ExtractorSpec
from jobs.pipeline.stage import Record
from schemas.delta import Progress
from schemas.feature import FeatureRecord
from schemas.ids import image_id, image_key, kafka_partition, sequence, shard_of_product
from schemas.product_record import ImageEntry, ProductRecord
from tests.unit.pipeline.metrics import CountingMetrics

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
    stage = BuildStage(plan)
    stage.open(CountingMetrics())
    try:
        records = [Record(None, msgspec.json.encode(unit), 0, number, 0) for number, unit in enumerate(units)]
        return [msgspec.json.decode(out.value, type=Answer) for record in records for out in stage.process([record])]
    finally:
        stage.close()


def shard(plan: BuildPlan, number: int) -> Shard:
    return load_files(plan.folder / f"shard-{number}")[0]


def test_what_is_built_is_what_is_counted(plan: BuildPlan) -> None:
    counted = answers(plan, *(CountPartition(partition) for partition in range(EVENT_PARTITIONS)))
    built = answers(plan, *(BuildShard(number) for number in range(SHARDS)))
    assert all(isinstance(answer, Built) and answer.ignored_vectors == 0 for answer in built)
    totals, valid = [0] * SHARDS, 0
    for answer in counted:
        assert isinstance(answer, Counted)
        valid += answer.valid_images
        for number, digest in enumerate(answer.digests):
            totals[number] = add_digest(totals[number], bytes.fromhex(digest))
    shards = [shard(plan, number) for number in range(SHARDS)]
    assert [digest_bytes(total) for total in totals] == [each.stats().digest for each in shards]
    assert valid == PRODUCTS - PRODUCTS // 5
    assert sum(each.stats().searchable for each in shards) == valid - 1


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
    answers(plan, BuildShard(0))
    before = (plan.folder / "shard-0" / "manifest.json").stat().st_mtime_ns
    (again,) = answers(plan, BuildShard(0))
    assert isinstance(again, Built)
    assert (plan.folder / "shard-0" / "manifest.json").stat().st_mtime_ns == before


def test_what_a_killed_unit_left_is_built_over(plan: BuildPlan) -> None:
    for left in (".shard-0.spools", ".shard-0.unfinished"):
        (plan.folder / left).mkdir()
        (plan.folder / left / "rows").write_bytes(b"half")
    (answer,) = answers(plan, BuildShard(0))
    assert isinstance(answer, Built)
    assert sorted(path.name for path in plan.folder.iterdir()) == ["shard-0"]


def test_images_without_a_vector_are_listed(plan: BuildPlan) -> None:
    counted = answers(plan, *(CountPartition(partition) for partition in range(EVENT_PARTITIONS)))
    assert sum(answer.missing for answer in counted if isinstance(answer, Counted)) == 1
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
    answers(plan, CountPartition(0), BuildShard(2))
    states = {state.unit: state for state in read_progress(plan.progress)}
    assert sorted(states) == ["catalogue-0", "shard-2"]
    assert all(state.done == 1.0 for state in states.values())
