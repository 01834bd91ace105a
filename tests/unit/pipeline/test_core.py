"""What each event does to a product, and what it leaves alone."""

from __future__ import annotations

import math

import pytest

from jobs.pipeline.core import (
    FORGET_AFTER,
    REMEMBERED_ENTRIES,
    Applied,
    Origin,
    Outcome,
    add_erased,
    add_state,
    apply,
    display_attributes,
)
from schemas.deltas.delta import DeltaBatch
from schemas.errors import RejectedError
from schemas.events.event import (
    MAX_IMAGES,
    ImageRef,
    ProductAdded,
    ProductErased,
    ProductEvent,
    ProductRemoved,
    ProductUpdated,
)
from schemas.events.record import Erased, ProductRecord
from schemas.ids import image_id, url_hash

A, B = "https://shop.example/a.jpg", "https://shop.example/b.jpg"


def added(*urls: str, version: int | None = None, **product: object) -> ProductAdded:
    return ProductAdded(
        product_id="p", version=version, product=product or None, images=[ImageRef(url=url) for url in urls]
    )


def run(*events: ProductEvent, start: int = 1) -> Applied:
    record: ProductRecord | None = None
    result: Applied | None = None
    for number, event in enumerate(events, start):
        result = apply(record, event, number)
        record = result.record
    assert result is not None
    return result


def valid(record: ProductRecord) -> set[str]:
    return {entry.url for entry in record.images if entry.attached} if record.listed else set()


def test_added_product_lists_its_images_and_wants_their_vectors() -> None:
    result = run(added(A, B, title="Mug", price=5))
    assert valid(result.record) == {A, B}
    assert result.changed == result.wanted == {A, B}
    assert result.record.attributes == {"title": "Mug", "price": 5}


def test_price_update_changes_every_image_and_wants_no_vector() -> None:
    result = run(added(A, B, price=5, title="Mug"), ProductUpdated(product_id="p", product={"price": 4}))
    assert result.changed == {A, B}
    assert result.wanted == set()
    assert result.record.attributes == {"price": 4, "title": "Mug"}
    assert {entry.state_seq for entry in result.record.images} == {2}
    assert {entry.image_seq for entry in result.record.images} == {1}


def test_null_in_an_update_deletes_the_attribute() -> None:
    result = run(added(A, brand="Acme"), ProductUpdated(product_id="p", product={"brand": None}))
    assert result.record.attributes == {}


def test_removal_invalidates_all_images_and_keeps_the_record() -> None:
    result = run(added(A, B, title="Mug"), ProductRemoved(product_id="p"))
    assert valid(result.record) == set()
    assert result.changed == {A, B}
    assert result.record.attributes == {"title": "Mug"}


def test_listing_again_brings_back_the_images_of_the_time_of_removal() -> None:
    result = run(added(A, B), ProductRemoved(product_id="p"), ProductAdded(product_id="p"))
    assert valid(result.record) == {A, B}
    assert result.changed == result.wanted == {A, B}
    assert {entry.image_seq for entry in result.record.images} == {1}


def test_listing_again_with_other_images_detaches_the_left_out_ones() -> None:
    result = run(added(A), added(B))
    assert valid(result.record) == {B}
    assert result.changed == {A, B}


def test_repeated_addition_changes_no_state() -> None:
    result = run(added(A, price=5), added(A, price=5))
    assert result.changed == set()
    assert result.wanted == {A}
    assert result.record.images[0].state_seq == 1


def test_new_version_of_an_image_replaces_its_vector() -> None:
    update = ProductUpdated(product_id="p", images_added=[ImageRef(url=A, version=2)])
    result = run(added(A), update)
    (entry,) = result.record.images
    assert (entry.version, entry.image_seq, entry.state_seq) == ("2", 2, 2)
    assert result.changed == result.wanted == {A}


def test_image_named_without_version_keeps_the_version_it_has() -> None:
    update = ProductUpdated(product_id="p", images_added=[ImageRef(url=A, version=2)])
    result = run(added(A), update, added(A))
    assert result.record.images[0].version == "2"
    assert result.changed == set()


def test_image_removed_and_added_in_one_update_stays() -> None:
    update = ProductUpdated(product_id="p", images_added=[ImageRef(url=A)], images_removed=[A])
    assert valid(run(added(A), update).record) == {A}


def test_older_producer_version_is_dropped() -> None:
    result = run(added(A, version=7, price=5), ProductUpdated(product_id="p", version=6, product={"price": 1}))
    assert result.outcome is Outcome.STALE_VERSION
    assert result.record.attributes["price"] == 5


def test_addition_older_than_a_removal_does_not_resurrect() -> None:
    result = run(ProductRemoved(product_id="p", version=3), added(A, version=2))
    assert result.outcome is Outcome.STALE_VERSION
    assert valid(result.record) == set()


def test_update_of_an_unknown_product_is_rejected() -> None:
    with pytest.raises(RejectedError, match="unknown_product"):
        apply(None, ProductUpdated(product_id="p", product={"price": 1}), 1)


def test_update_of_a_removed_product_changes_nothing_visible_until_it_is_listed_again() -> None:
    update = ProductUpdated(product_id="p", product={"price": 1}, images_added=[ImageRef(url=B)])
    removed = run(added(A, price=5), ProductRemoved(product_id="p"), update)
    assert removed.changed == removed.wanted == set()
    again = apply(removed.record, ProductAdded(product_id="p"), 4)
    assert valid(again.record) == {A, B}
    assert again.record.attributes["price"] == 1


def test_forwarded_event_is_applied_once() -> None:
    first = apply(None, added(A), 1, Origin(3, 40))
    removed = apply(first.record, ProductRemoved(product_id="p"), 2)
    again = apply(removed.record, added(A), 3, Origin(3, 40))
    assert again.outcome is Outcome.DUPLICATE_FORWARD
    assert valid(again.record) == set()


def test_apply_leaves_the_given_record_untouched() -> None:
    record = run(added(A, B, price=5)).record
    before = repr(record)
    apply(record, ProductUpdated(product_id="p", product={"price": 1}, images_removed=[A]), 9)
    apply(record, ProductRemoved(product_id="p"), 9)
    assert repr(record) == before


def test_state_of_a_tombstone_carries_no_attributes() -> None:
    record = run(added(A, title="Mug", price=5), ProductRemoved(product_id="p")).record
    batch = DeltaBatch()
    add_state(batch, record, record.images[0], None, display_attributes(record))
    assert batch.image_id == [image_id("p", A)]
    assert batch.valid == [False]
    assert batch.attributes == [b""]
    assert math.isnan(batch.price[0])


def test_product_cannot_outgrow_the_limits_by_many_events() -> None:
    record = run(added(*[f"https://h/{n}.jpg" for n in range(MAX_IMAGES)])).record
    one_more = ProductUpdated(product_id="p", images_added=[ImageRef(url="https://h/more.jpg")])
    with pytest.raises(RejectedError, match="too_large"):
        apply(record, one_more, 2)
    large = ProductUpdated(product_id="p", product={"a": "x" * 600_000})
    grown = apply(record, large, 2).record
    with pytest.raises(RejectedError, match="too_large"):
        apply(grown, ProductUpdated(product_id="p", product={"b": "x" * 600_000}), 3)


def test_image_urls_of_many_events_have_a_limit_and_a_removal_always_passes() -> None:
    record = run(added("https://h/1.jpg")).record
    with pytest.raises(RejectedError, match="characters of image URLs"):
        for number in range(2, 100):
            urls = [f"https://h/{number}-{n}/".ljust(4096, "x") for n in range(50)]
            record = apply(record, added(*urls), number).record
    assert not apply(record, ProductRemoved(product_id="p"), 100).record.listed
    assert apply(record, ProductUpdated(product_id="p", product={"price": 1}), 101).record.attributes["price"] == 1


def churned(first: str) -> ProductRecord:
    """A product that kept `first` while over `REMEMBERED_ENTRIES` other images came and went."""
    record = run(added(first)).record
    for number in range(2, 2 + REMEMBERED_ENTRIES // 100 + 2):
        batch = [f"https://h/{number}-{n}.jpg" for n in range(100)]
        record = apply(record, added(first, *batch), number).record
    return record


def test_image_detached_from_a_churned_product_is_announced() -> None:
    record = churned(A)
    result = apply(record, ProductUpdated(product_id="p", images_removed=[A]), 1000)
    assert result.changed == {A}
    assert [entry.attached for entry in result.record.images if entry.url == A] == [False]


def test_tombstones_are_forgotten_only_when_the_log_has_long_gone_on() -> None:
    record = churned(A)
    soon = apply(record, ProductUpdated(product_id="p", product={"price": 1}), 1000).record
    assert len(soon.images) == len(record.images)
    later = apply(record, ProductUpdated(product_id="p", product={"price": 1}), FORGET_AFTER + 1000).record
    assert all(entry.attached for entry in later.images)


def test_erasing_keeps_nothing_but_hashes_and_a_sequence() -> None:
    result = run(added(A, B, title="Mug", price=5, version=3), ProductErased(product_id="p"))
    record = result.record
    assert (record.listed, record.attributes, record.images, record.version) == (False, {}, [], 3)
    assert record.erased == Erased(2, [url_hash(A), url_hash(B)])
    assert (result.changed, result.wanted) == (set(), set())
    batch = DeltaBatch()
    add_erased(lambda: batch, record)
    assert batch.image_id == [image_id("p", A), image_id("p", B)]
    assert batch.state_seq == batch.erased_seq == [2, 2]


def test_an_update_of_an_erased_product_is_of_an_unknown_one() -> None:
    with pytest.raises(RejectedError, match="was erased") as refused:
        run(added(A), ProductErased(product_id="p"), ProductUpdated(product_id="p", product={"price": 1}))
    assert refused.value.reason == "unknown_product"


def test_a_product_added_after_its_erasure_begins_anew() -> None:
    erased = run(added(A, title="Mug"), ProductErased(product_id="p"))
    again = apply(erased.record, ProductAdded(product_id="p"), 3)
    assert (again.record.listed, again.record.attributes, again.record.images) == (True, {}, [])
    full = apply(again.record, ProductUpdated(product_id="p", images_added=[ImageRef(url=A)]), 4)
    (entry,) = full.record.images
    assert (entry.image_seq, entry.state_seq) == (4, 4)
    assert full.record.erased == Erased(2, [url_hash(A)], gone=False)


def test_erasing_again_remembers_the_images_of_the_first_time() -> None:
    record = run(added(A), ProductErased(product_id="p"), added(B), ProductErased(product_id="p")).record
    assert record.erased == Erased(4, [url_hash(A), url_hash(B)])
