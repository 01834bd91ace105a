"""Events that bring their images' vectors, through both stages and their stores: no child process, nothing fetched."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feature_store.open import feature_store
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.stage import Out, Record
from schemas.events.dead_letter import decode_dead_letter
from schemas.events.extract_request import ExtractRequest, decode_request, encode_request
from schemas.events.given_vector import unit
from schemas.features.record import check_feature, decode_feature, refusals_of
from schemas.ids import feature_partition, image_id, image_key, routing_key
from schemas.topics import DEAD_LETTERS, EXTRACT_REQUESTS, IMAGE_FEATURES
from tests.support.metrics import CountingMetrics
from tests.support.stages.given_vectors import EXTRACTOR, A, B, GivenVectorsWorld, added, to

NETWORK = "efficientnet_lite0-57934424-p1-1280"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GivenVectorsWorld]:
    world = GivenVectorsWorld(tmp_path)
    yield world
    world.close()


def letters(out: list[Out]) -> list[tuple[str, bool]]:
    found = [decode_dead_letter(record.value) for record in to(DEAD_LETTERS, out)]
    return [(letter.reason, letter.transient) for letter in found]


def test_given_vector_is_stored_and_searchable_without_a_fetch(world: GivenVectorsWorld) -> None:
    answers = world.extract(world.feed(added("p1", front=A)))
    assert world.found(A) == ["p1"]
    assert world.stored("front", A) == unit(A)
    (feature,) = [decode_feature(record.value) for record in to(IMAGE_FEATURES, answers)]
    check_feature(feature, feature.extracted_at_ms)
    assert (feature.vector, feature.url, feature.cnn_ms) == (unit(A), "front", 0.0)
    assert letters(answers) == []
    assert world.extraction._extractions.pids == {}
    assert world.metrics.counts["given"] == 1


def test_known_vector_is_reused_and_not_sent_again(world: GivenVectorsWorld) -> None:
    event = added("p1", front=A)
    world.extract(world.feed(event))
    time.sleep(0.06)  # the catalogue stage reads the store as a secondary, which looks for news every 50 ms
    again = world.feed(event)
    assert to(EXTRACT_REQUESTS, again) == []
    assert world.metrics.counts["features_reused"] == 1
    world.feed({"type": "product_removed", "product_id": "p1"})
    assert world.found(A) == []
    relisted = world.feed({"type": "product_added", "product_id": "p1"})
    assert to(EXTRACT_REQUESTS, relisted) == []
    assert world.found(A) == ["p1"]


def test_another_vector_of_the_image_replaces_the_one_before(world: GivenVectorsWorld) -> None:
    world.extract(world.feed(added("p1", front=A)))
    asked = world.feed({"type": "product_updated", "product_id": "p1", "images_added": [{"url": "front", "vector": B}]})
    assert world.found(A) == []  # the old vector does not answer for the new content, also before the new one is there
    world.extract(asked)
    assert world.found(B) == ["p1"]
    assert world.found(A) == []


def test_of_two_vectors_in_one_batch_the_later_counts(world: GivenVectorsWorld) -> None:
    world.extract(world.feed(added("p1", front=A), added("p1", front=B)))
    assert (world.found(A), world.found(B)) == ([], ["p1"])
    assert world.stored("front", A) is None


def test_vector_that_came_while_the_product_was_down_is_there_when_it_is_listed_again(world: GivenVectorsWorld) -> None:
    world.extract(world.feed(added("p1", front=A)))
    world.feed({"type": "product_removed", "product_id": "p1"})
    update = {"type": "product_updated", "product_id": "p1", "images_added": [{"url": "front", "vector": B}]}
    world.extract(world.feed(update))
    assert world.found(B) == []
    world.feed({"type": "product_added", "product_id": "p1"})
    assert world.found(B) == ["p1"]


def test_length_does_not_matter(world: GivenVectorsWorld) -> None:
    world.extract(world.feed(added("p1", front=[10 * number for number in A])))
    assert world.found(A) == ["p1"]


def test_request_that_was_lost_with_the_task_is_sent_again(world: GivenVectorsWorld) -> None:
    first = world.feed(added("p1", front=A))
    again = world.again(0, added("p1", front=A))
    assert [each.value for each in to(EXTRACT_REQUESTS, again)] == [each.value for each in to(EXTRACT_REQUESTS, first)]
    world.extract(again)
    world.extract(first)
    assert world.found(A) == ["p1"]


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ({"front": A, "back": [1.0, 2.0]}, "vector_length"),
        ({"front": A, "back": None}, "missing_vector"),
        ({"front": [0.0, 0.0, 0.0]}, "invalid_event"),
    ],
)
def test_unusable_vector_is_a_dead_letter_and_the_rest_goes_on(
    world: GivenVectorsWorld, images: dict[str, list[float] | None], reason: str
) -> None:
    out = world.feed(added("bad", **images), added("good", front=B))
    assert letters(out) == [(reason, False)]
    world.extract(out)
    assert world.found(B) == ["good"]
    assert world.found(A) == []


def test_vector_for_an_index_that_makes_its_own_is_a_dead_letter(world: GivenVectorsWorld) -> None:
    stage = CatalogueStage(replace(world.config, extractors=(NETWORK,), store_folder=str(world.folder / "other")))
    stage.open(CountingMetrics())
    value = json.dumps(added("p1", front=A)).encode()
    out = stage.process([Record(b"p1", value, 0, 0, 0)])
    stage.close()
    assert letters(out) == [("unexpected_vector", False)]


def test_beside_a_network_images_may_have_a_vector_and_are_extracted_as_well(tmp_path: Path) -> None:
    world = GivenVectorsWorld(tmp_path, NETWORK, EXTRACTOR)
    out = world.feed(added("p1", front=A, back=None))
    assert letters(out) == []
    asked = [decode_request(record.value) for record in to(EXTRACT_REQUESTS, out)]
    assert [(each.extractor_id, each.url, each.vector) for each in asked] == [
        (NETWORK, "front", b""),
        (NETWORK, "back", b""),
        (EXTRACTOR, "front", unit(A)),
    ]
    world.close()


def request(vector: bytes, extractor_id: str = EXTRACTOR) -> Out:
    key = image_key("front")
    asked = ExtractRequest(
        product_id="p1", image_id=image_id("p1", "front").hex(), image_key=key.hex(), url="front", vector_seq=1,
        extractor_id=extractor_id, vector=vector,
    )  # fmt: skip
    return Out(EXTRACT_REQUESTS, routing_key(feature_partition(key, 2), 2), encode_request(asked))


def test_image_whose_vector_never_came_is_given_up_and_not_pending_for_ever(world: GivenVectorsWorld) -> None:
    out = world.extract([request(b"")])
    assert letters(out) == [("missing_vector", False)]
    reader = feature_store(world.folder / "features", 2).reader(catch_up_interval_ms=0)
    assert reader.get_many([image_key("front")], refusals_of(EXTRACTOR))[0] is not None
    reader.close()


@pytest.mark.parametrize("vector", [unit([1.0, 2.0]), b"abc", np.full(3, np.nan, "<f4").tobytes(), bytes(12)])
def test_forged_vector_is_a_dead_letter(world: GivenVectorsWorld, vector: bytes) -> None:
    assert letters(world.extract([request(vector)])) == [("invalid_request", False)]
