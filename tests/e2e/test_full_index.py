"""The life of an index on a whole system: built, checked, swapped in under traffic, refused, rolled back, moved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from statistics import median

import msgspec
import pytest

from cli.runtime.services import searcher_name
from generations.folder import file_checksum, new_name, seal_generation
from indexing.build.builder import ShardBuilder
from schemas.features.ids import features_of
from schemas.full_index.generation import LIVE, GenerationShard
from schemas.ids import shard_of_product
from tests.rebuilt import stream_equals_batch
from tests.support.whole.full_index import (
    alias,
    build,
    copied,
    damage,
    digests,
    folder_of,
    metric,
    search,
    serving,
    status,
    stock,
    vitrine,
)
from tests.support.whole.pictures import picture
from tests.support.whole.talking import asked, ids_of
from tests.support.whole.traffic import USUAL_S, Traffic
from tests.system import System, eventually
from vision.extractor import extractor_id

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

FIRST_ENCODER, SECOND_ENCODER = "efficientnet_lite0_composite", "efficientnet_lite0_blocks"
"""The vectors of the second are made by what the build learns of the pictures."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of its own: these tests change its number of shards and its extractor."""
    folder = tmp_path_factory.mktemp("full-index")
    system = System(folder, encoder=FIRST_ENCODER, further_encoders=[SECOND_ENCODER], look_pictures=60)
    try:
        system.start()
        yield system
    finally:
        system.stop()


def test_first_full_index_takes_over_under_traffic_and_nobody_notices(shop: System) -> None:
    kept, doomed = stock(shop, "kept", 60, 40_000), stock(shop, "doomed", 40, 41_000)
    with Traffic(shop, kept, doomed, picture(40_003), 768) as traffic:
        made = build(shop)
        traffic.until_seen(made.name)
    seen = traffic.seen
    assert seen.failures == []
    assert seen.shown_again == []
    assert seen.went_back == []
    assert seen.invisible == []
    assert median(seen.took_s) < USUAL_S
    assert seen.generations == [LIVE, made.name]
    assert alias(shop).serving == made.name
    assert [shard.digest for shard in made.shards] == made.catalogue_digests
    shop.wait_settled(pending=20)
    stream_equals_batch(shop, 2)
    left = {product_id for product_id in doomed if any(shop.searchable_images(product_id))}
    by_words = asked(shop, text="kept doomed", match="any", facets=[{"field": "price", "ranges": [0]}])
    assert by_words["generation"] == made.name
    assert by_words["matches"] == len(kept) + len(left) == by_words["facets"]["price"]["products"]
    assert set(ids_of(asked(shop, text="doomed", match="all"))) == left
    assert set(ids_of(asked(shop, text="kept", filter={"price": {"gte": 0}}))) == set(kept)


def test_searcher_that_lost_its_disk_takes_the_full_index_and_the_deltas_since(shop: System) -> None:
    stock(shop, "since", 5, 42_000)
    shop.wait_settled(pending=20)
    before = digests(shop)
    shop.end(searcher_name(1, 0))
    shutil.rmtree(shop.settings.layout.shard_folder(1, 0).parent)
    shop.start()
    shop.wait_settled(pending=20)
    assert digests(shop) == before
    assert {view.generation for view in shop.shards()} == {alias(shop).serving}


def test_generation_with_an_altered_file_is_not_published(shop: System) -> None:
    before = alias(shop)
    copy = copied(shop, before.serving)
    damage(shop, copy, shard=1)
    said = vitrine(shop, "publish", copy, code=1)
    assert "rows.bin" in said
    assert alias(shop) == before
    eventually(lambda: metric(shop, "vitrine_publish_failed") == 1, "the refusal is a metric")
    assert any("publish" in problem for problem in status(shop)["problems"])
    assert search(shop, picture(40_001))["generation"] == before.serving
    shutil.rmtree(folder_of(shop).folder / copy)


def test_searchers_refuse_an_altered_file_that_the_alias_names(shop: System) -> None:
    before = alias(shop).serving
    copy = copied(shop, before)
    damage(shop, copy, shard=1)
    folder_of(shop).serve(copy)
    eventually(
        lambda: any("rows.bin" in problem for problem in status(shop)["problems"]), "the status names the altered file"
    )
    answer = search(shop, picture(40_001))
    assert (answer["generation"], answer["partial"]) == (before, False)
    vitrine(shop, "alias", "--rollback")
    assert alias(shop).serving == before
    shutil.rmtree(folder_of(shop).folder / copy)
    shop.wait_settled(pending=20)
    stream_equals_batch(shop, 2)


def test_half_empty_build_is_refused_by_its_count(shop: System) -> None:
    before = alias(shop)
    whole = serving(shop)
    folder = folder_of(shop)
    name = new_name()
    with ShardBuilder(folder.shard_folder(name, 1), whole.extractor_id, whole.dimension) as builder:
        manifest = builder.seal({1: whole.delta_offsets[1]}, name)
    shutil.copytree(folder.shard_folder(whole.name, 0), folder.shard_folder(name, 0))
    empty = GenerationShard(
        manifest=file_checksum(folder.shard_folder(name, 1) / "manifest.json"),
        bytes=0,
        images=0,
        valid=0,
        searchable=0,
        digest=manifest.digest,
        kind=manifest.kind,
        lists=manifest.lists,
        nprobe=manifest.nprobe,
        recall=1.0,
    )
    # Consistent in itself, as a build from a half-empty catalogue would be.
    half = msgspec.structs.replace(
        whole,
        name=name,
        shards=[whole.shards[0], empty],
        catalogue_valid=whole.shards[0].valid,
        catalogue_digests=[whole.catalogue_digests[0], manifest.digest],
    )
    seal_generation(folder.folder / name, half)
    said = vitrine(shop, "publish", name, code=1)
    assert "count" in said
    assert alias(shop) == before
    failed = 'vitrine_publish_check_failed{check="count_serving"}'
    eventually(lambda: metric(shop, failed) == 1, "the failed check is a metric")
    shutil.rmtree(folder.folder / name)


def test_number_of_shards_changes_under_traffic_and_back_by_rollback(shop: System) -> None:
    kept, doomed = stock(shop, "moved", 40, 43_000), stock(shop, "doomed-too", 30, 44_000)
    with Traffic(shop, kept, doomed, picture(43_003), 768) as traffic:
        two = alias(shop).serving
        three = build(shop, "--shards", "3")
        traffic.until_seen(three.name)
    seen = traffic.seen
    assert (seen.failures, seen.shown_again, seen.went_back, seen.invisible) == ([], [], [], [])
    assert median(seen.took_s) < USUAL_S
    assert seen.generations == [two, three.name]
    assert len(three.shards) == 3
    assert len(digests(shop)) == 3
    shop.wait_settled(pending=20)
    stream_equals_batch(shop, 3)
    product = kept[0]
    assert [replica.shard for replica in shop.product(product).replicas if replica.generation == three.name] == [
        shard_of_product(product, 3)
    ]
    vitrine(shop, "alias", "--rollback")
    assert alias(shop).serving == two
    shop.wait_settled(pending=20)
    stream_equals_batch(shop, 2)
    vitrine(shop, "alias", "--to", three.name)
    shop.wait_settled(pending=20)
    stream_equals_batch(shop, 3)
    shop.start()
    assert searcher_name(2, 0) in shop.runtime.running()


def test_second_extractor_serves_beside_the_first_and_then_instead(shop: System) -> None:
    first = serving(shop)
    second = build(shop, "--encoder", SECOND_ENCODER, "--no-publish")
    assert (second.encoder, second.dimension) == (SECOND_ENCODER, 704)
    assert second.extractor_id != features_of(second.extractor_id) == extractor_id(SECOND_ENCODER)
    (look,) = (part for part in second.learned if part.kind == "look")
    assert look.used and look.settings["things"] >= 50, "learned from pictures that were fetched again"
    assert second.searchable == sum(view.searchable for view in shop.shards())
    vitrine(shop, "alias", "--beside", second.name)
    photo = picture(43_003)
    for generation in (first.name, second.name):
        answer = search(shop, photo, generation)
        assert answer["generation"] == generation
        assert answer["results"][0]["product_id"] == "moved-3"
    stock(shop, "fresh", 3, 45_000)
    eventually(
        lambda: search(shop, picture(45_001), second.name)["results"][0]["product_id"] == "fresh-1",
        "a new product is found under the second extractor",
    )
    vitrine(shop, "publish", second.name)
    eventually(lambda: search(shop, photo)["generation"] == second.name, "photos are embedded for the new generation")
    assert search(shop, photo)["results"][0]["product_id"] == "moved-3"
    shop.produce({"type": "product_removed", "product_id": "fresh-1"})
    shop.wait_gone("fresh-1")
    assert "fresh-1" not in [result["product_id"] for result in search(shop, picture(45_001))["results"]]
