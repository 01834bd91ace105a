"""A shop before the tier on hosts: what it lists and removes, and what its shoppers are answered meanwhile."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import msgspec
import numpy as np
from numpy.typing import NDArray

from messaging.producer import EventProducer
from schemas.access.kafka import KafkaAccess
from schemas.deltas.delta import DeltaBatch, Progress, encode_deltas
from schemas.features.ids import dimension_of
from schemas.ids import sequence, shard_of_product
from schemas.topics import INDEX_DELTAS, PRODUCT_EVENTS
from tests.support.serving.world import listed, removed

_EVERY_S = 0.05
_PATIENCE_S = 300.0
"""For Kafka to take an event: a shop's back end keeps those that are not acknowledged."""


class _Again:
    """Does one thing again and again, beside the test, from `start` to `end`, which raises what it raised."""

    def __init__(self, does: Callable[[], None]) -> None:
        self._does = does
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def start(self) -> None:
        self._done = self._pool.submit(self._run)

    def end(self) -> None:
        self._over.set()
        self._pool.shutdown()
        self._done.result()

    def _run(self) -> None:
        while not self._over.is_set():
            self._does()


class BackEnd:
    """Lists a product or removes one for good, twenty times a second, as deltas of the streaming job. `with` it.

    `removed_ms`: by product, the time of the log at which it was.
    """

    def __init__(self, kafka: KafkaAccess, extractor_id: str, shards: int, seed: int = 1) -> None:
        self._producer = EventProducer(kafka, delivery_timeout_s=_PATIENCE_S)
        self._extractor_id = extractor_id
        self._shards = shards
        self._chance = random.Random(seed)
        self._count = 0
        self.on_sale: set[str] = set()
        self.removed_ms: dict[str, int] = {}
        self._again = _Again(self._event)

    def __enter__(self) -> BackEnd:
        for _ in range(60):
            self._event(leave=False)
        self._again.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._again.end()
        self._producer.flush()

    def vector(self, number: int) -> NDArray[np.float32]:
        made = np.random.default_rng(number).standard_normal(dimension_of(self._extractor_id)).astype("<f4")
        unit: NDArray[np.float32] = made / np.linalg.norm(made)
        return unit

    def _event(self, leave: bool = True) -> None:
        time.sleep(_EVERY_S)
        self._count += 1
        now_ms = time.time_ns() // 1_000_000
        progress = [Progress(partition, 2, sequence(1, self._count), now_ms) for partition in range(2)]
        batches = [DeltaBatch(extractor_id=self._extractor_id, progress=list(progress)) for _ in range(self._shards)]
        if leave and self._chance.random() < 0.4:
            product = self._chance.choice(sorted(self.on_sale))
            removed(batches[shard_of_product(product, self._shards)], product, offset=self._count)
            self.on_sale.discard(product)
            self.removed_ms[product] = now_ms
        else:
            product = f"host-{self._count}"
            vector = self.vector(self._count)
            listed(batches[shard_of_product(product, self._shards)], product, [vector], offset=self._count)
            self.on_sale.add(product)
        for shard, batch in enumerate(batches):
            self._producer.send(INDEX_DELTAS, None, encode_deltas(batch), shard)
        self._producer.flush()


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An event that Kafka has taken: where it lies, and when that was told (monotonic, in seconds)."""

    partition: int
    offset: int
    value: bytes
    at_s: float


class EventBackEnd(BackEnd):
    """The same as a shop does it, by events with vectors of its own; and it changes prices.

    `acknowledged`: each of its events, in the order in which they were sent; it waits for one before it sends the next.
    """

    def __init__(self, kafka: KafkaAccess, extractor_id: str, shards: int, seed: int = 1) -> None:
        super().__init__(kafka, extractor_id, shards, seed)
        self.acknowledged: list[Acknowledged] = []

    def _event(self, leave: bool = True) -> None:
        time.sleep(_EVERY_S)
        self._count += 1
        chosen = self._chance.random() if leave else 1.0
        if chosen < 0.6:
            product = self._chance.choice(sorted(self.on_sale))
            event: dict[str, Any] = {"type": "product_updated", "product": {"price": float(self._count)}}
            if chosen < 0.25:
                event = {"type": "product_removed"}
                self.on_sale.discard(product)
        else:
            product = f"host-{self._count}"
            image = {"url": f"https://shop.example/{product}.jpg", "vector": self.vector(self._count).tolist()}
            event = {"type": "product_added", "product": {"price": 1.0}, "images": [image]}
            self.on_sale.add(product)
        stamps: list[int] = []

        def delivered(error: Any, message: Any) -> None:
            assert error is None, error
            stamps.append(message.timestamp()[1])
            self.acknowledged.append(Acknowledged(message.partition(), message.offset(), value, time.monotonic()))

        value = msgspec.json.encode({**event, "product_id": product})
        self._producer.send(PRODUCT_EVENTS, product.encode(), value, None, delivered)
        self._producer.flush(_PATIENCE_S)
        if event["type"] == "product_removed":
            self.removed_ms[product] = stamps[0]


class Shopper:
    """Asks the front, one question after the other; `with` it.

    `failures`: what was no answer. `partial`: answers that lack a shard. `wrong`: those that show what was removed
    before the moment up to which they say that they are true. `options`: of the client, what lets it in.
    """

    def __init__(self, url: str, shop: BackEnd, seed: int, **options: Any) -> None:
        self._client = httpx.Client(base_url=url, timeout=25.0, **options)
        self._shop = shop
        self._chance = random.Random(seed)
        self.answers = self.partial = 0
        self.slowest_s = 0.0
        self.failures: list[str] = []
        self.wrong: list[str] = []
        self._again = _Again(self._ask)

    def __enter__(self) -> Shopper:
        self._again.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._again.end()
        self._client.close()

    def _ask(self) -> None:
        time.sleep(0.02)
        vector = self._shop.vector(self._chance.randrange(1000))
        began = time.monotonic()
        try:
            answer = self._client.post("/v1/search/vector?limit=100", content=vector.tobytes(), headers=_RAW)
            body: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            self.failures.append(f"{time.monotonic() - began:.1f} s: {error!r}")
            return
        self.answers += 1
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        if answer.status_code != 200:
            self.failures.append(f"{time.monotonic() - began:.1f} s: {answer.status_code} {answer.text[:200]}")
            return
        self.partial += body["partial"]
        if body["watermark"] is None:
            return
        true_ms = datetime.fromisoformat(body["watermark"]).timestamp() * 1000
        for result in body["results"]:
            gone_ms = self._shop.removed_ms.get(result["product_id"])
            # As in tests/chaos: what is stamped in that very millisecond may come behind what moved the watermark.
            if gone_ms is not None and gone_ms < true_ms:
                self.wrong.append(
                    f"{result['product_id']}, removed {true_ms - gone_ms:.0f} ms before {body['watermark']}"
                )


_RAW = {"content-type": "application/octet-stream"}
