"""The plan against a shard that was really built: files on disk, memory as the allocator counts it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from indexing.build.builder import BuildSettings, ShardBuilder
from indexing.lists.kinds import EXACT_BELOW, IndexKind
from indexing.plan import PlanRequest, make_plan
from indexing.snapshot import snapshot
from schemas.deltas.delta import DeltaBatch
from schemas.errors import OperatorError
from schemas.ids import image_id
from tests.support.index.catalogue import EXTRACTOR, random_vectors

TEXT_BYTES = 200


def batches(images: int, dimension: int) -> list[DeltaBatch]:
    """Products with one image each; product id, URL and attributes of an image have `TEXT_BYTES` together."""
    made = []
    for first in range(0, images, 2000):
        batch = DeltaBatch(EXTRACTOR)
        for number, vector in enumerate(random_vectors(min(2000, images - first), dimension, first), first):
            product, url = f"p{number:09}", f"https://shop.example/pictures/{number:09}.jpg"
            title = product.encode().ljust(TEXT_BYTES - len(product) - len(url) - len(b'{"title":""}'), b"t")
            batch.add(
                image_id(product, url),
                product,
                state_seq=1,
                valid=True,
                image_seq=1,
                url=url,
                category=f"c{number % 20}",
                attributes=b'{"title":"%s"}' % title,
                vector_seq=1,
                vector=vector.tobytes(),
            )
        made.append(batch)
    return made


@pytest.mark.parametrize(
    ("kind", "images", "dimension"),
    [*((kind, 4_000, 320) for kind in IndexKind), (IndexKind.EXACT, 20_000, 64), (IndexKind.IVF_FLAT, 20_000, 64)],
)
def test_plan_agrees_with_a_built_shard(tmp_path: Path, kind: IndexKind, images: int, dimension: int) -> None:
    # Few points a list, so that the test is quick: the plan's own number of lists, but training on a small sample.
    request = PlanRequest(images=images, dimension=dimension, kind=kind, nlist=128, text_bytes=TEXT_BYTES)
    plan = make_plan(request)
    with ShardBuilder(tmp_path / "s0", EXTRACTOR, dimension, BuildSettings(kind=kind, nlist=128, threads=1)) as builder:
        for batch in batches(images, dimension):
            builder.add(batch)
        spools = sum(path.stat().st_size for path in tmp_path.glob(".s0.spools/*"))
        builder.seal({0: 0})
    disk = sum(path.stat().st_size for path in (tmp_path / "s0").iterdir())
    assert plan.disk_bytes == pytest.approx(disk, rel=0.1)
    assert plan.build_disk_bytes == pytest.approx(disk + spools, rel=0.1)
    tracemalloc.start()
    try:
        shard, _ = snapshot.load_files(tmp_path / "s0")
        memory, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # faiss's own copies of the centroids are no memory of Python's.
    memory += {IndexKind.EXACT: 0, IndexKind.IVF_FLAT: 1}.get(kind, 2) * 4 * dimension * 128
    assert plan.memory_bytes == pytest.approx(memory, rel=0.1)
    assert plan.swap_bytes >= memory + peak
    assert plan.lists == pytest.approx(shard.stats().lists, abs=1)


def test_codes_save_memory_and_cost_disk() -> None:
    plans = {kind: make_plan(PlanRequest(images=1_000_000, dimension=512, kind=kind)) for kind in IndexKind}
    flat, sq8, pq = (plans[kind] for kind in (IndexKind.IVF_FLAT, IndexKind.IVF_SQ8, IndexKind.IVF_PQ))
    assert flat.memory_bytes > 2 * sq8.memory_bytes
    assert sq8.memory_bytes > 1.5 * pq.memory_bytes
    assert flat.disk_bytes < pq.disk_bytes < sq8.disk_bytes
    assert sq8.codes_bytes / (512 + 8) == pq.codes_bytes / (64 + 8), "a code and a row number for every entry"


def test_shards_divide_and_replicas_multiply() -> None:
    one = make_plan(PlanRequest(images=4_000_000, dimension=512))
    four = make_plan(PlanRequest(images=4_000_000, dimension=512, shards=4, replicas=2))
    assert four.images == 1_000_000
    assert four.memory_bytes == pytest.approx(one.memory_bytes / 4, rel=0.05)
    assert four.total_memory_bytes == 8 * four.memory_bytes
    assert four.total_disk_bytes == 4 * four.disk_bytes


def test_machines_hold_the_swap_too() -> None:
    request = PlanRequest(images=1_000_000, dimension=512, shards=4, machine_bytes=16 << 30)
    plan = make_plan(request)
    assert plan.machines * request.machine_bytes * 0.8 >= 4 * plan.swap_bytes
    assert (plan.machines - 1) * request.machine_bytes * 0.8 < 4 * plan.swap_bytes
    assert make_plan(PlanRequest(images=1000, dimension=16, replicas=3)).machines == 3


def test_shard_that_no_machine_holds_names_the_shards_that_would_fit() -> None:
    request = PlanRequest(images=50_000_000, dimension=512, machine_bytes=16 << 30)
    plan = make_plan(request)
    assert plan.machines == 0
    assert plan.least_shards > 1
    divided = make_plan(PlanRequest(images=50_000_000, dimension=512, shards=plan.least_shards + 1))
    assert divided.machines > 0
    assert divided.kind is IndexKind.IVF_PCA


def test_kind_follows_the_images_of_a_shard() -> None:
    images = 2 * EXACT_BELOW
    assert make_plan(PlanRequest(images=images, dimension=8)).kind is IndexKind.IVF_FLAT
    plan = make_plan(PlanRequest(images=images - 2, dimension=8, shards=2))
    assert (plan.kind, plan.recall) == (IndexKind.EXACT, 1.0)


@pytest.mark.parametrize("wrong", [{"images": 0}, {"dimension": 0}, {"shards": 0}, {"text_bytes": -1}])
def test_numbers_that_make_no_index_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(OperatorError, match=next(iter(wrong))):
        make_plan(PlanRequest(**{"images": 10, "dimension": 8, **wrong}))


def test_more_lists_than_images_is_refused() -> None:
    with pytest.raises(OperatorError, match="lower nlist"):
        make_plan(PlanRequest(images=100, dimension=8, kind=IndexKind.IVF_FLAT, nlist=101))


def test_vectors_weigh_what_they_weigh() -> None:
    plan = make_plan(PlanRequest(images=10_000, dimension=512, kind=IndexKind.EXACT))
    assert plan.vectors_bytes == pytest.approx(10_000 * np.dtype(np.float32).itemsize * 512, rel=0.01)
