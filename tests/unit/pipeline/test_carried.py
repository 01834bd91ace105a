"""A vector goes out once while its image stays on sale, and again whenever its shard may lack it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.pipeline.catalogue.carried import Carried
from tests.support.stages.catalogue import World, added, deltas, vector

URL = "https://h/1.jpg"
READER_LOOKS_AGAIN_S = 0.1
"""Twice the time after which a reader of features that missed one looks what others have written."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.know(URL, vector())
    yield world
    world.stage.close()


def vectors(world: World, *events: dict[str, object]) -> list[bytes | None]:
    return [each for batch in deltas(world.feed(*events)) for each in batch.vector]


def updated(**product: object) -> dict[str, object]:
    return {"type": "product_updated", "product_id": "p1", "product": product}


REMOVED: dict[str, object] = {"type": "product_removed", "product_id": "p1"}


def test_image_that_is_listed_again_goes_out_with_its_state_alone(world: World) -> None:
    assert vectors(world, added("p1", URL, price=1)) == [vector()]
    (batch,) = deltas(world.feed(added("p1", URL, price=2)))
    assert (batch.vector, batch.price, batch.valid) == ([None], [2.0], [True])


def test_listing_that_changes_nothing_sends_nothing(world: World) -> None:
    vectors(world, added("p1", URL, price=1))
    assert vectors(world, added("p1", URL, price=1)) == []


def test_it_counts_as_reused_all_the_same(world: World) -> None:
    for price in range(3):
        world.feed(added("p1", URL, price=price))
    assert world.metrics.counts["features_reused"] == 3
    assert world.metrics.counts["cnn_ms_saved"] == 36


def test_image_that_was_taken_down_goes_out_whole_when_it_is_on_sale_again(world: World) -> None:
    vectors(world, added("p1", URL, price=1))
    world.feed(REMOVED)
    assert vectors(world, added("p1", URL, price=1)) == [vector()]


def test_image_that_was_taken_off_its_product_goes_out_whole_again(world: World) -> None:
    vectors(world, added("p1", URL, price=1))
    world.feed(added("p1"))
    assert vectors(world, added("p1", URL)) == [vector()]


def test_product_that_was_erased_goes_out_whole_again(world: World) -> None:
    vectors(world, added("p1", URL, price=1))
    world.feed({"type": "product_erased", "product_id": "p1"})
    assert vectors(world, added("p1", URL)) == [vector()]


def test_new_version_of_a_picture_goes_out_with_its_vector(world: World) -> None:
    vectors(world, added("p1", URL, price=1))
    again = {**added("p1"), "images": [{"url": URL, "version": "2"}]}
    out = world.feed(again)
    (batch,) = deltas(out)
    assert batch.image_seq[0] > 1
    assert [record.topic for record in out].count("extract-requests") == 1


def test_picture_that_was_made_by_request_goes_out_with_the_next_listing_and_then_no_more(world: World) -> None:
    late = "https://h/late.jpg"
    assert vectors(world, added("p1", late, price=1)) == [None]
    world.know(late, vector())
    time.sleep(READER_LOOKS_AGAIN_S)
    assert vectors(world, added("p1", late, price=1)) == [vector()]
    assert vectors(world, added("p1", late, price=2)) == [None]


def test_same_picture_of_another_product_goes_out_with_it(world: World) -> None:
    vectors(world, added("p1", URL))
    assert vectors(world, added("p2", URL)) == [vector()]


def test_task_that_starts_anew_sends_again(world: World) -> None:
    vectors(world, added("p1", URL, price=1))
    world.restart()
    assert vectors(world, added("p1", URL, price=2)) == [vector()]


def test_events_that_are_read_again_send_again_without_a_restart(world: World) -> None:
    first = world.record(added("p1", URL, price=1))
    world.stage.process([first])
    (batch,) = deltas(world.stage.process([first]))
    assert batch.vector == [vector()]


def test_price_never_asks_for_a_vector(world: World) -> None:
    vectors(world, added("p1", URL, price=1))
    assert vectors(world, updated(price=2)) == [None]


def test_slot_is_the_last_ones_and_the_one_before_is_forgotten() -> None:
    carried = Carried(slots=1)
    carried.note("p1", "u", 1, 12.0)
    assert carried.saved_ms("p1", "u", 1) == 12.0
    assert carried.saved_ms("p1", "u", 2) is None
    carried.note("p2", "u", 1, 3.0)
    assert carried.saved_ms("p1", "u", 1) is None
    carried.forget("p1", "u", 1)
    assert carried.saved_ms("p2", "u", 1) == 3.0
    carried.forget("p2", "u", 1)
    assert carried.saved_ms("p2", "u", 1) is None
