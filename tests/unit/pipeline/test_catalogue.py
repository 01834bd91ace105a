"""The catalogue stage on real stores: what it emits, what it keeps, what a replay does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from feature_store.open import catalogue_store
from feature_store.products import ProductReader
from feature_store.recorded import restore_catalogue
from indexing.shard.shard import Shard
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.stage import Out
from schemas.deltas.delta import decode_deltas
from schemas.events.dead_letter import decode_dead_letter
from schemas.events.event import MAX_EVENT_BYTES
from schemas.events.extract_request import decode_request
from schemas.events.record import encode_record
from schemas.ids import image_id, kafka_partition, sequence
from schemas.topics import CATALOGUE_RECORDS, DEAD_LETTERS, EXTRACT_REQUESTS, INDEX_DELTAS, PRODUCT_EVENTS
from tests.support.stages.catalogue import EXTRACTOR, FURTHER, PARTITIONS, World, added, deltas, to, vector


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.stage.close()


def test_unknown_image_is_requested_and_its_state_goes_out_at_once(world: World) -> None:
    out = world.feed(added("p1", "https://h/1.jpg", price=3))
    (batch,) = deltas(out)
    assert (batch.valid, batch.price, batch.vector) == ([True], [3.0], [None])
    (request,) = [decode_request(record.value) for record in to(EXTRACT_REQUESTS, out)]
    assert (request.product_id, request.url, request.vector_seq) == ("p1", "https://h/1.jpg", batch.image_seq[0])


def test_known_image_goes_out_with_its_vector_and_without_a_request(world: World) -> None:
    world.know("https://h/1.jpg", vector())
    out = world.feed(added("p1", "https://h/1.jpg"))
    (batch,) = deltas(out)
    assert batch.vector == [vector()]
    assert to(EXTRACT_REQUESTS, out) == []
    assert world.metrics.counts["features_reused"] == 1
    assert world.metrics.counts["cnn_ms_saved"] == 12


def test_further_extractors_vectors_come_in_batches_of_their_own_and_the_state_once(tmp_path: Path) -> None:
    world = World(tmp_path, FURTHER)
    other = vector()[::-1]
    world.know("https://h/1.jpg", vector())
    world.know("https://h/1.jpg", other, FURTHER)
    out = world.feed(added("p1", "https://h/1.jpg"))
    world.stage.close()
    by_extractor = {batch.extractor_id: batch for batch in deltas(out)}
    main, further = by_extractor[EXTRACTOR], by_extractor[FURTHER]
    assert (main.valid, main.vector, len(main.progress)) == ([True], [vector()], 1)
    assert (further.state_seq, further.vector, further.progress) == ([0], [other], [])
    assert (further.image_id, further.vector_seq) == (main.image_id, main.vector_seq)
    assert to(EXTRACT_REQUESTS, out) == []


def test_image_known_to_one_extractor_is_requested_of_the_other(tmp_path: Path) -> None:
    world = World(tmp_path, FURTHER)
    world.know("https://h/1.jpg", vector())
    out = world.feed(added("p1", "https://h/1.jpg", "https://h/2.jpg"))
    world.stage.close()
    requests = [decode_request(record.value) for record in to(EXTRACT_REQUESTS, out)]
    assert sorted((request.extractor_id, request.url) for request in requests) == [
        (FURTHER, "https://h/1.jpg"),
        (FURTHER, "https://h/2.jpg"),
        (EXTRACTOR, "https://h/2.jpg"),
    ]
    counts = world.metrics.counts
    assert (counts["features_reused"], counts["features_missing"]) == (1, 1)
    assert (counts["further_features_reused"], counts["further_features_missing"]) == (0, 2)


def test_events_of_one_batch_come_out_as_one_final_state(world: World) -> None:
    out = world.feed(
        added("p1", "https://h/1.jpg", price=3),
        {"type": "product_updated", "product_id": "p1", "product": {"price": 2}},
        {"type": "product_removed", "product_id": "p1"},
    )
    (batch,) = deltas(out)
    assert batch.valid == [False]
    assert to(EXTRACT_REQUESTS, out) == []


@pytest.mark.parametrize(
    "poison",
    [b"", b"no json", b"[" * 100_000, b"x" * 2_000_000, b'{"type":"product_sold","product_id":"p"}', b"\xff\xfe{}"],
    ids=["empty", "no json", "deep", "large", "unknown kind", "no text"],
)
def test_poison_goes_to_the_dead_letters_and_its_neighbours_are_served(world: World, poison: bytes) -> None:
    out = world.stage.process(
        [
            world.record(added("p1", "https://h/1.jpg"), 0)._replace(partition=kafka_partition(b"p1", PARTITIONS)),
            world.record(poison, 0),
            world.record(added("p2", "https://h/2.jpg")),
        ]
    )
    (letter,) = [decode_dead_letter(record.value) for record in to(DEAD_LETTERS, out)]
    assert (letter.topic, letter.partition, letter.transient) == (PRODUCT_EVENTS, 0, False)
    assert letter.truncated or letter.value_bytes() == poison
    assert sum(len(batch) for batch in deltas(out)) == 2


def test_update_of_an_unknown_product_is_a_dead_letter(world: World) -> None:
    out = world.feed({"type": "product_updated", "product_id": "p9", "product": {"price": 2}})
    (letter,) = [decode_dead_letter(record.value) for record in to(DEAD_LETTERS, out)]
    assert letter.reason == "unknown_product"


def test_misplaced_event_is_sent_on_and_applied_once(world: World) -> None:
    wrong = (kafka_partition(b"p1", PARTITIONS) + 1) % PARTITIONS
    first = world.record(added("p1", "https://h/1.jpg"), wrong)
    sent = world.stage.process([first])
    again = world.stage.process([first])
    assert deltas(sent) == []
    forwarded = to(PRODUCT_EVENTS, sent)
    assert [record.key for record in forwarded] == [b"p1"]
    assert to(PRODUCT_EVENTS, again) == forwarded
    right = kafka_partition(b"p1", PARTITIONS)
    applied = world.stage.process([world.record(forwarded[0].value, right)])
    assert [batch.valid for batch in deltas(applied)] == [[True]]
    world.stage.process([world.record({"type": "product_removed", "product_id": "p1"})])
    late = world.stage.process([world.record(forwarded[0].value, right)])
    assert all(len(batch) == 0 for batch in deltas(late))
    assert world.metrics.counts["events_duplicate_forward"] == 1


def test_misplaced_event_of_the_largest_size_is_sent_on_and_applied(world: World) -> None:
    padding = MAX_EVENT_BYTES - len(json.dumps(added("p1", "https://h/1.jpg", price=7, x="")))
    value = json.dumps(added("p1", "https://h/1.jpg", price=7, x="x" * padding)).encode()
    assert len(value) == MAX_EVENT_BYTES
    right = kafka_partition(b"p1", PARTITIONS)
    wrong = (right + 1) % PARTITIONS
    (sent_on,) = to(PRODUCT_EVENTS, world.stage.process([world.record(value, wrong)]))
    # Its right partition has another number by now, or so that partition's owner believes.
    (again,) = to(PRODUCT_EVENTS, world.stage.process([world.record(sent_on.value, wrong)]))
    assert again == sent_on
    out = world.stage.process([world.record(again.value, right)])
    assert not to(DEAD_LETTERS, out)
    assert [price for batch in deltas(out) for price in batch.price] == [7.0]


def test_replay_skips_a_misplaced_original(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.stage.close()
    world.stage = CatalogueStage(replace(world.stage._config, forward_misplaced=False))
    world.stage.open(world.metrics)
    wrong = (kafka_partition(b"p1", PARTITIONS) + 1) % PARTITIONS
    assert to(PRODUCT_EVENTS, world.stage.process([world.record(added("p1"), wrong)])) == []
    world.stage.close()


def test_replayed_batch_changes_no_record_and_says_the_present_state_again(world: World) -> None:
    batch = [
        world.record(added("p1", "https://h/1.jpg", price=3)),
        world.record({"type": "product_updated", "product_id": "p1", "product": {"price": 2}}),
    ]
    first = deltas(world.stage.process(batch))
    world.restart()
    out = world.stage.process(batch[:1])
    assert [(b.price, b.state_seq) for b in deltas(out)] == [(b.price, b.state_seq) for b in first]
    assert len(to(EXTRACT_REQUESTS, out)) == 1
    assert world.metrics.counts["events_replayed"] == 1


def test_heartbeat_moves_the_watermark_of_every_shard(world: World) -> None:
    out = []
    for partition in range(PARTITIONS):
        out += world.stage.process([world.record({"type": "heartbeat", "partition": partition}, partition)])
    for shard in range(2):
        index = Shard(EXTRACTOR, 8)
        for record in to(INDEX_DELTAS, out)[shard::2]:
            index.apply(decode_deltas(record.value))
        assert index.watermark_ms() == 1_700_000_000_000


def test_progress_names_the_last_record_of_each_partition(world: World) -> None:
    records = [world.record(added("p1", "https://h/1.jpg")), world.record(added("p1", "https://h/2.jpg"))]
    (batch,) = deltas(world.stage.process(records))
    partition = kafka_partition(b"p1", PARTITIONS)
    assert [(p.partition, p.partitions, p.sequence) for p in batch.progress] == [
        (partition, PARTITIONS, sequence(0, records[-1].offset))
    ]


def test_a_products_attributes_come_out_once_for_all_its_images(world: World) -> None:
    out = world.feed(added("p1", *[f"https://h/{n}.jpg" for n in range(50)], text="x" * 500_000))
    assert sum(len(record.value) for record in to(INDEX_DELTAS, out)) < 600_000
    assert sum(len(batch) for batch in deltas(out)) == 50


def test_large_products_come_out_as_several_bounded_records(world: World) -> None:
    products = [added(f"p{n}", "https://h/1.jpg", text="x" * 900_000) for n in range(40)]
    partition = kafka_partition(b"p0", PARTITIONS)
    records = [
        world.record(event, partition)
        for event in products
        if kafka_partition(event["product_id"].encode(), PARTITIONS) == partition
    ]
    out = world.stage.process(records)
    sizes = [len(record.value) for record in to(INDEX_DELTAS, out)]
    assert len(sizes) > 3
    assert max(sizes) < 8 * 1024 * 1024
    batches = deltas(out)
    assert sum(len(batch) for batch in batches) == len(records)
    # Progress is what must come behind; the rows, which may come in any order, are all that is large.
    assert [bool(b.progress) for b in batches] == [not r.commutes for r in to(INDEX_DELTAS, out)]
    assert sum(len(r.value) for r in out if not r.commutes) < 300_000


ERASED = {"type": "product_erased", "product_id": "p1"}


def on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_erased_product_leaves_no_byte_in_the_store_and_is_sent_to_the_shards(world: World) -> None:
    for number in range(3):  # versions of the record in several tables, and in a log
        world.feed(added("p1", f"https://h/MARKER-{number}.jpg", title=f"MARKER-{number}"), added("p2", "https://h/x"))
        world.restart()
    assert b"MARKER" in on_disk(world.folder / "catalogue")
    out = world.feed(ERASED)
    (batch,) = [batch for batch in deltas(out) if len(batch)]
    assert batch.image_id == [image_id("p1", f"https://h/MARKER-{number}.jpg") for number in range(3)]
    assert batch.erased_seq == batch.state_seq and min(batch.erased_seq) > 0
    assert not any(batch.valid)
    assert b"MARKER" not in on_disk(world.folder / "catalogue")
    assert not to(EXTRACT_REQUESTS, out)
    world.restart()
    assert [len(batch) for batch in deltas(world.feed(added("p2", "https://h/x", title="kept")))] == [1]


def test_replay_of_an_erasure_says_it_again(world: World) -> None:
    first = world.record(added("p1", "https://h/1.jpg"))
    world.stage.process([first])
    erasure = world.record(ERASED)
    sent = world.stage.process([erasure])
    world.restart()
    assert world.stage.process([first, erasure]) != []
    (said,) = [batch for batch in deltas(world.stage.process([erasure])) if len(batch)]
    assert said.image_id == [image_id("p1", "https://h/1.jpg")]
    assert said.erased_seq == next(batch for batch in deltas(sent) if len(batch)).erased_seq


def test_product_listed_anew_after_its_erasure_in_the_same_batch(world: World) -> None:
    url = "https://h/1.jpg"
    world.feed(added("p1", url, title="old"))
    out = world.feed(ERASED, added("p1", url, title="new"))
    shard = Shard(EXTRACTOR, 8)
    for batch in reversed(deltas(out)):
        shard.apply(batch)
    (image,) = shard.product("p1")
    assert image.valid and image.attributes == b'{"title":"new"}'
    assert len(to(EXTRACT_REQUESTS, out)) == 1


def test_erasure_of_a_product_of_very_many_images_is_sent_in_bounded_records(world: World) -> None:
    erasure: dict[str, object] = {"type": "product_erased", "product_id": "p1"}
    for round_number in range(2):
        for first in range(0, 8000, 500):
            world.feed(added("p1", *(f"https://h/{round_number}/{number}.jpg" for number in range(first, first + 500))))
        out = world.feed(erasure)
    sizes = [len(batch) for batch in deltas(out) if len(batch)]
    assert sum(sizes) == 16_000
    assert len(sizes) > 1, "each row counts towards a record's bound"


def restored(world: World, out: list[Out]) -> None:
    """The catalogue store lost, and made anew of the records among `out` in their order."""
    world.stage.close()
    shutil.rmtree(world.folder / "catalogue")
    records = [(record.key, record.value) for record in to(CATALOGUE_RECORDS, out)]
    store = catalogue_store(world.folder / "catalogue", PARTITIONS)
    assert restore_catalogue(records, store, PARTITIONS).refused == 0
    world.stage = world._open()


def test_store_made_anew_of_its_records_goes_on_from_any_earlier_position(world: World) -> None:
    history = [
        world.record(event)
        for event in (
            added("p1", "https://h/1.jpg", price=1),
            added("p2", "https://h/2.jpg", price=2),
            {"type": "product_updated", "product_id": "p1", "images_removed": ["https://h/1.jpg"]},
            {"type": "product_updated", "product_id": "p1", "product": {"price": 3}},
            {"type": "product_removed", "product_id": "p2"},
            {"type": "product_erased", "product_id": "p3"},
        )
    ]
    out = [record for event in history for record in world.stage.process([event])]
    before = contents(world)
    assert set(before) == {"p1", "p2", "p3"}
    restored(world, out)
    assert contents(world) == before
    late = to(CATALOGUE_RECORDS, out)[:2]  # by a task that was given up and comes back once
    restored(world, [*out, *late])
    assert contents(world) == before
    for begin in range(len(history)):
        restored(world, out)
        again = [record for event in history[begin:] for record in world.stage.process([event])]
        assert contents(world) == before
        # What it says again are present records, none of those in between.
        assert {record.value for record in to(CATALOGUE_RECORDS, again)} <= set(before.values())


def test_record_of_another_product_or_damaged_is_refused_and_the_others_restored(world: World) -> None:
    (record,) = to(CATALOGUE_RECORDS, world.feed(added("p1", "https://h/1.jpg")))
    store = catalogue_store(world.folder / "other", PARTITIONS)
    found = [(b"p2", record.value), (None, record.value), (b"p1", None), (b"p1", b"x"), (record.key, record.value)]
    report = restore_catalogue(found, store, PARTITIONS)
    assert (report.read, report.products, report.refused) == (5, 1, 4)


def test_a_replayed_event_records_its_product_again(world: World) -> None:
    event = world.record(added("p1", "https://h/1.jpg"))
    first = to(CATALOGUE_RECORDS, world.stage.process([event]))
    assert len(first) == 1
    assert to(CATALOGUE_RECORDS, world.stage.process([event])) == first


def contents(world: World) -> dict[str, bytes]:
    """Every product of the store, encoded."""
    products = ProductReader(catalogue_store(world.folder / "catalogue", PARTITIONS))
    found = [record for partition in range(PARTITIONS) for record in products.scan(partition)]
    products.close()
    return {record.product_id: encode_record(record) for record in found}
