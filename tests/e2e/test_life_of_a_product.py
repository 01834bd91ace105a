"""From the shop's event to the shopper's answer, on real Kafka, Flink, RocksDB and services."""

from __future__ import annotations

import base64
import json
import random
import struct
import zlib
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer

from jobs.full_index.truth.live_log import wait_for_extraction
from messaging.admin import describe
from messaging.producer import EventProducer
from messaging.ranges import read_all
from schemas.events.dead_letter import decode_dead_letter
from schemas.ids import kafka_partition, routing_key
from schemas.topics import DEAD_LETTERS, EXTRACT_REQUESTS, INDEX_DELTAS, PRODUCT_EVENTS
from tests.rebuilt import rebuild, stream_equals_batch
from tests.support.whole.pictures import picture, write_pictures
from tests.support.whole.talking import added, asked, flink_counter, found, ids_of
from tests.system import System, eventually

pytestmark = pytest.mark.e2e


def suggested(system: System, text: str) -> list[str]:
    answer = httpx.get(f"{system.base}/v1/suggest", params={"q": text}, timeout=60, trust_env=False)
    return [each["text"] for each in answer.json()["suggestions"]]


def ends(system: System, topic: str) -> int:
    return sum(describe(system.bootstrap, [topic])[topic].ends)


def test_added_updated_removed_and_listed_again(system: System) -> None:
    (url,) = write_pictures(system.home / "life", range(1, 2))
    photo = picture(1)
    system.produce(added("life-1", url, title="Blocks", price=10, sales=3, material="oak"))
    system.wait_searchable(["life-1"])
    result = system.search(photo)["results"][0]
    assert (result["product_id"], result["price"], result["material"]) == ("life-1", 10, "oak")
    assert result["score"] > 0.99

    system.produce({"type": "product_updated", "product_id": "life-1", "product": {"price": 8}})
    system.wait_settled()
    answer = system.search(photo)
    assert answer["results"][0]["price"] == 8
    assert (answer["partial"], answer["missing_shards"]) == (False, [])

    system.produce({"type": "product_removed", "product_id": "life-1"})
    system.wait_settled()
    assert "life-1" not in found(system, photo)
    assert not any(system.searchable_images("life-1"))
    similar = httpx.get(f"{system.base}/v1/products/life-1/similar", timeout=60, trust_env=False)
    assert similar.status_code == 404
    receipt = httpx.get(f"{system.base}/v1/products/life-1/status", timeout=60, trust_env=False).json()
    assert receipt["searchable"] is False

    requests, reused = ends(system, EXTRACT_REQUESTS), flink_counter(system, "features_reused")
    system.produce({"type": "product_added", "product_id": "life-1"})
    system.wait_searchable(["life-1"])
    assert found(system, photo)[0] == "life-1"
    assert ends(system, EXTRACT_REQUESTS) == requests
    eventually(lambda: flink_counter(system, "features_reused") > reused, "the reuse counter goes up")


def test_words_filters_and_counts_follow_the_events(system: System) -> None:
    (url,) = write_pictures(system.home / "worded", range(4, 5))
    system.produce(added("worded-1", url, title="Quokka blocks", price=10, brand="Quokkaworks", labels=["wombat"]))
    system.wait_searchable(["worded-1"])
    photo = base64.b64encode(picture(4)).decode()
    wombats: dict[str, Any] = {"labels": "wombat"}
    assert ids_of(asked(system, text="quokka blocks")) == ["worded-1"]
    assert ids_of(asked(system, images=[photo], filter=wombats)) == ["worded-1"]
    assert suggested(system, "quok") == ["quokka", "quokkaworks", "Quokkaworks", "Quokka blocks"]
    assert asked(system, filter=wombats, facets=["brand"])["facets"]["brand"]["values"] == [
        {"value": "Quokkaworks", "count": 1}
    ]

    changes = {"price": 8, "title": "Numbat bricks"}
    system.produce({"type": "product_updated", "product_id": "worded-1", "product": changes})
    system.wait_settled()
    assert ids_of(asked(system, text="numbat", filter={"price": {"lt": 10}})) == ["worded-1"]
    assert ids_of(asked(system, images=[photo], filter={**wombats, "price": {"lt": 10}})) == ["worded-1"]
    assert ids_of(asked(system, filter={**wombats, "price": {"gte": 10}})) == []
    assert ids_of(asked(system, text="blocks", filter=wombats)) == []
    assert suggested(system, "quok") == ["quokkaworks", "Quokkaworks"]

    system.produce({"type": "product_removed", "product_id": "worded-1"})
    system.wait_settled()
    assert ids_of(asked(system, text="numbat", match="all")) == []
    gone = asked(system, filter=wombats, facets=["brand"])
    assert (gone["results"], gone["matches"], gone["facets"]["brand"].get("values", [])) == ([], 0, [])
    assert suggested(system, "quok") == []
    assert asked(system, images=[photo], filter=wombats)["results"] == []


def test_new_version_of_an_image_replaces_the_old_vector(system: System) -> None:
    folder = system.home / "replaced"
    (url,) = write_pictures(folder, range(2, 3))
    system.produce(added("replaced-1", url))
    system.wait_searchable(["replaced-1"])
    (folder / "2.jpg").write_bytes(picture(3))
    update = {"type": "product_updated", "product_id": "replaced-1", "images_added": [{"url": url, "version": "b"}]}
    system.produce(update)
    system.wait_settled()
    best = {r["product_id"]: r["score"] for r in system.search(picture(3), 50)["results"]}
    old = {r["product_id"]: r["score"] for r in system.search(picture(2), 50)["results"]}
    assert best["replaced-1"] > 0.99
    assert old.get("replaced-1", 0) < 0.99


def test_duplicates_and_reordered_deltas_change_nothing(system: System) -> None:
    urls = write_pictures(system.home / "duplicates", range(10, 20))
    events = [added(f"dup-{n}", url, version=1, price=n) for n, url in enumerate(urls)]
    updates = [
        {"type": "product_updated", "product_id": f"dup-{n}", "version": 2, "product": {"price": 100 + n}}
        for n in range(10)
    ]
    system.produce(*events, *updates)
    system.wait_settled()
    assert wait_for_extraction(system.settings.kafka, 180)  # else a vector of another test's may come in between
    stream_equals_batch(system)
    before = system.digests()
    stale = [{**event, "product": {"price": 0}} for event in events]
    system.produce(*stale)
    system.wait_settled()
    assert system.digests() == before

    partitions = range(system.settings.shards)
    deltas = [(p, m) for p in partitions for m in read_all(system.bootstrap, INDEX_DELTAS, p) if m.value is not None]
    random.Random(5).shuffle(deltas)
    with EventProducer(system.bootstrap) as producer:
        for partition, message in deltas:
            producer.send(INDEX_DELTAS, routing_key(partition, system.settings.shards), message.value)
    eventually(lambda: all(view.lag == 0 for view in system.shards()), "the shards have read the deltas again")
    assert system.digests() == before
    assert rebuild(system.settings).digests == [digest for _, digest in sorted(before.items())]


def test_events_of_any_client_reach_their_product_once(system: System) -> None:
    (url,) = write_pictures(system.home / "clients", range(30, 31))
    ids = [f"client-{n}" for n in range(12)]
    with KafkaProducer(bootstrap_servers=system.bootstrap) as java_like:
        for product_id in ids[:4]:
            java_like.send(PRODUCT_EVENTS, key=product_id.encode(), value=json.dumps(added(product_id, url)).encode())
        java_like.flush()
    crc = Producer({"bootstrap.servers": system.bootstrap, "partitioner": "consistent_random"})
    for product_id in ids[4:8]:
        crc.produce(PRODUCT_EVENTS, key=product_id, value=json.dumps(added(product_id, url)))
    for product_id in ids[8:]:
        wrong = 1 - kafka_partition(product_id.encode(), 2)
        crc.produce(PRODUCT_EVENTS, value=json.dumps(added(product_id, url)), partition=wrong)
    assert crc.flush(30) == 0
    system.wait_searchable(ids)
    system.wait_settled()
    eventually(lambda: flink_counter(system, "events_misplaced") >= 4, "misplaced events are counted")
    stream_equals_batch(system)


def test_poison_goes_to_the_dead_letters_and_holds_nothing_up(system: System) -> None:
    before = ends(system, DEAD_LETTERS)
    bomb = system.home / "poison" / "bomb.png"
    bomb.parent.mkdir(exist_ok=True)
    bomb.write_bytes(_png_header(100_000, 100_000))
    broken = system.home / "poison" / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no more")
    poison = [
        b"not json",
        b"[" * 50_000,
        b"x" * 10_000_000,
        b'{"type":"product_sold","product_id":"p"}',
        b'{"type":"product_added","product_id":7}',
        json.dumps(added("poison-1", (system.home / "poison" / "absent.jpg").as_uri())).encode(),
        json.dumps(added("poison-2", bomb.as_uri())).encode(),
        json.dumps(added("poison-3", broken.as_uri())).encode(),
        json.dumps(added("poison-4", "file:///etc/passwd")).encode(),
        json.dumps(added("poison-5", "http://127.0.0.1:1/x.jpg")).encode(),
    ]
    system.produce(*poison)
    (url,) = write_pictures(system.home / "poison", range(40, 41))
    system.produce(added("poison-ok", url))
    system.wait_searchable(["poison-ok"])
    eventually(lambda: ends(system, DEAD_LETTERS) >= before + len(poison), "every poison event is a dead letter")
    letters = [decode_dead_letter(message.value or b"") for message in read_all(system.bootstrap, DEAD_LETTERS, 0)]
    reasons = {letter.reason for letter in letters}
    assert {"not_json", "too_large", "invalid_event", "image_missing", "image_too_many_pixels"} <= reasons
    assert {"folder_not_allowed", "address_not_allowed"} <= reasons


def _png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def test_price_is_visible_while_a_burst_of_new_images_waits_for_extraction(system: System) -> None:
    (url,) = write_pictures(system.home / "burst-one", range(50, 51))
    system.produce(added("burst-price", url, price=1))
    system.wait_searchable(["burst-price"])
    system.wait_settled(pending=100)
    urls = write_pictures(system.home / "burst", range(1000, 1400))
    system.produce(*[added(f"burst-{n}", url) for n, url in enumerate(urls)])
    for price in (2, 3, 4):
        system.produce({"type": "product_updated", "product_id": "burst-price", "product": {"price": price}})
        eventually(
            lambda price=price: all(r.price == price for r in system.product("burst-price").replicas),  # type: ignore[misc]
            f"price {price} is visible",
        )
    assert sum(view.pending for view in system.shards()) > 100, "the burst was over before the price was visible"
    system.wait_settled(pending=10, timeout_s=300)
    stream_equals_batch(system)
