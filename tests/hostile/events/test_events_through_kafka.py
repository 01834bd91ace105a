"""Hostile events through real Kafka and the real job: nobody is held up, nothing is lost, and the shards stay right."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import httpx
import pytest

from jobs.full_index.truth.live_log import wait_for_stream
from messaging.admin import describe
from messaging.producer import EventProducer
from schemas.topics import PRODUCT_EVENTS
from tests.rebuilt import rebuild, stream_equals_batch
from tests.support.hostile_events import described_products, heavy_product, hostile_events, large_refused
from tests.support.whole.pictures import picture, write_pictures
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

SEED = 20261124
EVENTS = 3000

_number = count(70_000)


@pytest.fixture
def urls(system: System, request: pytest.FixtureRequest) -> list[str]:
    """120 URLs of one small picture: what costs is never the network that looks at it."""
    folder = system.home / "hostile-events" / request.node.name
    (first,) = write_pictures(folder, range(70_000, 70_001))
    original = folder / "70000.jpg"
    for number in range(119):
        os.link(original, folder / f"{number}.jpg")
    return [first, *((folder / f"{number}.jpg").as_uri() for number in range(119))]


@pytest.fixture
def listed(system: System) -> Iterator[list[str]]:
    """Ids of what a test lists; taken down again after it, so that the next test finds the system as it was."""
    ids: list[str] = []
    yield ids
    system.produce(*({"type": "product_removed", "product_id": product_id} for product_id in ids))


def test_thousands_of_hostile_events_hold_nothing_up(system: System, urls: list[str], listed: list[str]) -> None:
    with EventProducer(system.bootstrap) as producer:
        for event in hostile_events(SEED, EVENTS, known_urls=urls[:5]):
            producer.send(PRODUCT_EVENTS, event.key, event.value)
    _goes_on(system, listed)
    _read_to_the_end(system)
    stream_equals_batch(system)
    listed += _known_ids(system, "hostile-")


def test_one_valid_heavy_product_stops_nobody(system: System, urls: list[str], listed: list[str]) -> None:
    """900 kB of attributes and 120 images, within every documented limit."""
    system.produce(heavy_product("heavy-one", urls))
    listed.append("heavy-one")
    _goes_on(system, listed)
    system.wait_searchable(["heavy-one"], images=len(urls))
    stream_equals_batch(system)


def test_an_ordinary_import_of_long_descriptions_stops_nobody(
    system: System, urls: list[str], listed: list[str]
) -> None:
    """The stage is handed up to 1,000 events at a time: here 500 of 30 kB with 8 images each."""
    events = list(described_products("described", 500, urls[:8]))
    system.produce(*events)
    ids = [str(event["product_id"]) for event in events]
    listed += ids
    _goes_on(system, listed)
    system.wait_searchable(ids, images=8)
    stream_equals_batch(system)


def test_price_changes_of_many_heavy_products_stop_nobody(system: System, urls: list[str], listed: list[str]) -> None:
    """Sixty bytes each, and each says its product's 900 kB again: a call that was handed little may not return all."""
    ids = [f"heavy-priced-{number}" for number in range(60)]
    listed += ids
    for product_id in ids:
        system.produce(heavy_product(product_id, urls[:1]))
    system.wait_searchable(ids)
    system.produce(*({"type": "product_updated", "product_id": i, "product": {"price": 7}} for i in ids))
    _goes_on(system, listed)
    system.wait_settled(pending=1_000_000)
    assert {replica.price for product_id in ids for replica in system.product(product_id).replicas} == {7.0}


def test_large_refused_events_stop_nobody(system: System, listed: list[str]) -> None:
    system.produce(*large_refused(60), key=b"large")
    _goes_on(system, listed)
    _read_to_the_end(system)


def test_heavy_products_can_be_searched_for(system: System, urls: list[str], listed: list[str]) -> None:
    """The query of death: all of them look alike, so that a search finds all of them."""
    events = [heavy_product(f"heavy-{number}", urls[:28]) for number in range(12)]
    system.produce(*events)
    listed += [f"heavy-{number}" for number in range(12)]
    _goes_on(system, listed)
    system.wait_searchable(listed, images=1)
    with httpx.Client(base_url=system.base, trust_env=False, timeout=120) as client:
        by_photo = client.post("/v1/search/image?limit=50", files={"image": ("photo", picture(70_000))})
        similar = client.get("/v1/products/heavy-0/similar?limit=50")
    for answer in (by_photo, similar):
        assert answer.status_code == 200, answer.text[:300]
    assert {f"heavy-{number}" for number in range(12)} <= _ids(by_photo.json())
    assert {f"heavy-{number}" for number in range(1, 12)} <= _ids(similar.json())


def _goes_on(system: System, listed: list[str]) -> None:
    """Good events sent now are searchable; there are enough of them to reach every partition and shard."""
    good = [f"good-{next(_number)}" for _ in range(8)]
    (url,) = write_pictures(system.home / "hostile-events" / "good", range(70_100, 70_101))
    system.produce(*({"type": "product_added", "product_id": name, "images": [{"url": url}]} for name in good))
    listed += good
    system.wait_searchable(good, timeout_s=180)


def _read_to_the_end(system: System) -> None:
    """Until the job has read, and checkpointed, all that the log held at the call, and answered its extractions."""
    ends = describe(system.bootstrap, [PRODUCT_EVENTS])[PRODUCT_EVENTS].ends
    committed, reached = wait_for_stream(system.settings.kafka, ends, 180)
    assert reached, f"the job has read {PRODUCT_EVENTS} up to {committed}, of {ends}"


def _known_ids(system: System, prefix: str) -> Sequence[str]:
    return [name for name in rebuild(system.settings).records if name.startswith(prefix)]


def _ids(answer: dict[str, Any]) -> set[str]:
    return {result["product_id"] for result in answer["results"]}
