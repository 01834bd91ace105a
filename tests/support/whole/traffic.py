"""A shop's traffic against a running system: queries that may not fail, updates that show, removals that hold."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import httpx
import numpy as np

from messaging.producer import EventProducer
from schemas.topics import PRODUCT_EVENTS
from tests.system import System, eventually

UPDATES_A_SECOND = 100
_TICK_S = 0.05
_PAUSE_S = 0.15
"""Between two queries of one asker: what is tested shares its two cores with them."""
_REMOVAL_S = 1.0
"""Between two removals. A publication compares answers of two moments some seconds apart: of the hundred products of a
test, a few that went in between are already more than the check allows."""
_PATIENCE_S = 60.0
"""For what must happen, however loaded the machine is; how soon it does, the benchmarks measure."""
USUAL_S = 5.0
"""What half of the updates must show within: tens of times what they take on a machine that keeps up."""


@dataclass
class Seen:
    """What the traffic found. `failures`: queries that were not answered whole. `shown_again`: answers that show a
    product whose removal an earlier answer of its receipt had confirmed. `went_back`: watermarks before an earlier one.
    `invisible`: updates that no receipt showed within `_PATIENCE_S`; `took_s`: how long the others took to be shown.
    """

    queries: int = 0
    updates: int = 0
    generations: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    shown_again: list[str] = field(default_factory=list)
    went_back: list[str] = field(default_factory=list)
    invisible: list[str] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)


class Traffic:
    """`with Traffic(system, kept, doomed) as traffic:` runs until the block ends; then `traffic.seen` is complete.

    kept: products whose prices change all the time. doomed: products that are
    removed one by one. All of them must be searchable at the start.
    """

    def __init__(self, system: System, kept: list[str], doomed: list[str], photo: bytes, dimension: int) -> None:
        self.seen = Seen()
        self._system = system
        self._kept, self._doomed = kept, doomed
        self._photo, self._dimension = photo, dimension
        self._stop = threading.Event()
        self._gone: set[str] = set()
        self._lock = threading.Lock()
        bodies = (self._update, self._remove, self._watch, self._ask_photos, self._ask_vectors, self._ask_questions)
        self._threads = [threading.Thread(target=self._guarded, args=(body,), name=body.__name__) for body in bodies]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(3 * _PATIENCE_S)
        if left := [thread.name for thread in self._threads if thread.is_alive()]:
            self.seen.failures.append(f"still under way: {left}")

    def until_seen(self, generation: str) -> None:
        """Until a query was answered by that generation, and updates were shown by it."""
        seen = self.seen
        eventually(lambda: seen.failures or generation in seen.generations, f"a query is answered by {generation}")
        before = len(seen.took_s)
        eventually(
            lambda: seen.failures or seen.invisible or len(seen.took_s) > before + 3, f"updates show in {generation}"
        )

    def _guarded(self, body: Any) -> None:
        """A thread that dies must fail the test."""
        try:
            body()
        except Exception as error:  # noqa: BLE001 - the test judges it
            self.seen.failures.append(f"{body.__name__}: {error!r}")

    def _update(self) -> None:
        """Price changes at a steady rate; the price is the moment's number."""
        number = 0
        with EventProducer(self._system.bootstrap) as producer:
            while not self._stop.wait(_TICK_S):
                for _ in range(round(UPDATES_A_SECOND * _TICK_S)):
                    number += 1
                    self._produce(producer, self._kept[1 + number % (len(self._kept) - 1)], {"price": number})
                self.seen.updates = number

    def _remove(self) -> None:
        """Takes products down one after the other and notes each once every replica says that it is gone."""
        with httpx.Client(base_url=self._system.base, trust_env=False, timeout=_PATIENCE_S) as client:
            for product_id in self._doomed:
                if self._stop.wait(_REMOVAL_S):
                    return
                self._system.produce({"type": "product_removed", "product_id": product_id})
                while not self._stop.wait(0.05):
                    receipt = client.get(f"/v1/products/{product_id}/status").json()
                    if receipt["complete"] and not receipt["searchable"]:
                        with self._lock:
                            self._gone.add(product_id)
                        break

    def _watch(self) -> None:
        """One product's price is changed again and again, each time until every replica shows it."""
        product_id, number = self._kept[0], 1_000_000
        with (
            EventProducer(self._system.bootstrap) as producer,
            httpx.Client(base_url=self._system.base, trust_env=False, timeout=_PATIENCE_S) as client,
        ):
            while not self._stop.wait(0.1):
                number += 1
                self._produce(producer, product_id, {"price": number})
                producer.flush()
                acknowledged = time.monotonic()
                while not self._shows(client, product_id, number):
                    if time.monotonic() - acknowledged > _PATIENCE_S:
                        self.seen.invisible.append(f"{product_id} at {number}")
                        return
                    time.sleep(0.03)
                self.seen.took_s.append(time.monotonic() - acknowledged)

    def _shows(self, client: httpx.Client, product_id: str, price: float) -> bool:
        replicas = client.get(f"/v1/products/{product_id}/status").json()["replicas"]
        return bool(replicas) and all(replica["price"] == price for replica in replicas if replica["answered"])

    def _ask_photos(self) -> None:
        self._ask(lambda client: client.post("/v1/search/image?limit=50", files={"image": ("photo", self._photo)}))

    def _ask_vectors(self) -> None:
        chooser = np.random.default_rng(random.randrange(1 << 30))

        def post(client: httpx.Client) -> httpx.Response:
            vector = chooser.standard_normal(self._dimension).astype("<f4")
            body = json.dumps({"vector": vector.tolist(), "limit": 50})
            return client.post("/v1/search/vector", content=body, headers={"content-type": "application/json"})

        self._ask(post)

    def _ask_questions(self) -> None:
        """By words, in an order, near a vector: each within a filter, with counts."""
        both = " ".join(products[0].rpartition("-")[0] for products in (self._kept, self._doomed))
        vector = np.random.default_rng(1).standard_normal(self._dimension).tolist()
        filtered = {"filter": {"price": {"gte": 0}}, "facets": ["category"], "limit": 100}
        questions = cycle(
            (
                {**filtered, "text": both, "match": "any"},
                {**filtered, "sort": "-price"},
                {**filtered, "vectors": [vector]},
            )
        )
        self._ask(lambda client: client.post("/v1/search", json=next(questions)))

    def _ask(self, post: Any) -> None:
        watermark = ""
        with httpx.Client(base_url=self._system.base, trust_env=False, timeout=_PATIENCE_S) as client:
            while not self._stop.wait(_PAUSE_S):
                with self._lock:
                    gone = set(self._gone)
                response = post(client)
                if response.status_code != 200:
                    self.seen.failures.append(f"{response.status_code} {response.text[:300]}")
                    continue
                answer = response.json()
                self._judge(answer, gone)
                if (answer["watermark"] or "") < watermark:
                    self.seen.went_back.append(f"{answer['watermark']} after {watermark}")
                watermark = answer["watermark"] or watermark

    def _judge(self, answer: dict[str, Any], gone: set[str]) -> None:
        seen = self.seen
        seen.queries += 1
        if answer["partial"]:
            seen.failures.append(f"partial: {answer['missing_shards']} of {answer['generation']}")
        if not answer["results"]:
            seen.failures.append(f"empty answer of {answer['generation']}")
        seen.shown_again += [r["product_id"] for r in answer["results"] if r["product_id"] in gone]
        with self._lock:
            if answer["generation"] not in seen.generations:
                seen.generations.append(answer["generation"])

    @staticmethod
    def _produce(producer: EventProducer, product_id: str, attributes: dict[str, Any]) -> None:
        event = {"type": "product_updated", "product_id": product_id, "product": attributes}
        producer.send(PRODUCT_EVENTS, product_id.encode(), json.dumps(event).encode())
