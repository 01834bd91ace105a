"""The shop's events and the shoppers' queries that go on all the time, each kind on a thread of its own."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import numpy as np

from messaging.producer import EventProducer
from schemas.errors import TransientError
from schemas.features.ids import dimension_of
from schemas.topics import PRODUCT_EVENTS
from tests.chaos.oracle import Answer, Shown
from tests.support.whole.histories import History
from tests.support.whole.pictures import picture, write_pictures
from tests.system import System
from vision.extractor import extractor_id

PREFIX = "chaos"
_PICTURES = 40
_DOUBLED = 0.1
_TICK_S = 0.1
_PAUSE_S = 0.15
_TIMEOUT_S = 20.0


class Feeder:
    """Produces a random history at `per_s` events a second, some of them twice, until it is closed or held.

    `lost`: how often the producer gave up (Kafka may be away for longer than
    it waits). Then some events may not be in the log: what is there counts.
    """

    def __init__(self, system: System, per_s: float, products: int, seed: int) -> None:
        self.sent = self.lost = 0
        self._bootstrap = system.bootstrap
        self._per_s = per_s
        self._random = random.Random(seed)
        self._folder = system.home / "chaos"
        self._urls = write_pictures(self._folder, range(90_000, 90_000 + _PICTURES))
        self._history = History(PREFIX, products, self._urls, products, seed)
        self._next_picture = 90_000 + _PICTURES
        self._producer = self._new_producer()
        self._stop, self._going = threading.Event(), threading.Event()
        self._going.set()
        self._idle = threading.Event()
        self._send(self._history.events)
        self._producer.flush()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
        self._thread.start()

    def hold(self, timeout_s: float = 120.0) -> None:
        """No more events until `go`; returns when what was sent is in the log, or given up."""
        self._going.clear()
        self._idle.wait(timeout_s)
        try:
            self._producer.flush(timeout_s)
        except TransientError:
            self._begin_anew()

    def go(self) -> None:
        self._idle.clear()
        self._going.set()

    def close(self) -> None:
        self._stop.set()
        self._going.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._stop.wait(_TICK_S):
            if not self._going.is_set():
                self._idle.set()
                self._going.wait()
                continue
            self._new_picture()
            try:
                self._send(self._history.more(max(1, round(self._per_s * _TICK_S))))
            except TransientError:
                self._begin_anew()

    def _new_producer(self) -> EventProducer:
        return EventProducer(self._bootstrap, delivery_timeout_s=600)

    def _begin_anew(self) -> None:
        """An idempotent producer that has lost track of what the broker has goes on no more."""
        self.lost += 1
        self._producer = self._new_producer()

    def _new_picture(self) -> None:
        """Once in a while one that nobody has seen, so that there is something to extract."""
        if self._random.random() < _TICK_S:
            (self._urls[self._random.randrange(_PICTURES)],) = write_pictures(
                self._folder, range(self._next_picture, self._next_picture + 1)
            )
            self._next_picture += 1

    def _send(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            for _ in range(2 if self._random.random() < _DOUBLED else 1):
                self._producer.send(PRODUCT_EVENTS, event["product_id"].encode(), json.dumps(event).encode())
                self.sent += 1


class Askers:
    """Queries by vector and by photo, look-alikes and receipts. `answers` are taken by `take`.

    `failures`: what was no answer, by kind, while a part was known to be hit
    or on its way back; `failures_while_whole`: the same while none was.
    """

    def __init__(self, system: System, seed: int) -> None:
        self.failures: Counter[str] = Counter()
        self.failures_while_whole: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.whole = threading.Event()
        self._system = system
        self._seed = seed
        self._answers: list[Answer] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        settings = system.settings
        self._dimension = dimension_of(extractor_id(settings.encoder, settings.weights))
        asked = (self._vector, self._photo, self._similar, self._receipt)
        self._threads = [threading.Thread(target=self._run, args=(ask,), daemon=True) for ask in asked]
        for thread in self._threads:
            thread.start()

    def take(self) -> list[Answer]:
        """Those that came since the last call."""
        with self._lock:
            taken, self._answers = self._answers, []
        return taken

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT_S)

    def _run(self, ask: Callable[[httpx.Client, random.Random], Answer]) -> None:
        chance = random.Random(f"{self._seed} {ask.__name__}")
        with httpx.Client(base_url=self._system.base, trust_env=False, timeout=_TIMEOUT_S) as client:
            while not self._stop.wait(_PAUSE_S):
                whole = self.whole.is_set()
                try:
                    answer = ask(client, chance)
                except _NoAnswer as none:
                    self._note(none.kind, whole)
                    continue
                except httpx.HTTPError as error:
                    self._note(type(error).__name__, whole)
                    continue
                if answer.partial:
                    self._note("partial", whole)
                with self._lock:
                    self.asked[answer.kind] += 1
                    self._answers.append(answer)

    def _note(self, kind: str, whole: bool) -> None:
        with self._lock:
            (self.failures_while_whole if whole and self.whole.is_set() else self.failures)[kind] += 1

    def _vector(self, client: httpx.Client, chance: random.Random) -> Answer:
        vector = np.random.default_rng(chance.randrange(1 << 30)).standard_normal(self._dimension)
        return self._results("vector", client.post("/v1/search/vector", json={"vector": vector.tolist(), "limit": 100}))

    def _photo(self, client: httpx.Client, chance: random.Random) -> Answer:
        time.sleep(0.2)  # the network that looks at it shares its processors with what is tested
        photo = picture(90_000 + chance.randrange(_PICTURES))
        return self._results("photo", client.post("/v1/search/image?limit=50", files={"image": ("photo", photo)}))

    def _similar(self, client: httpx.Client, chance: random.Random) -> Answer:
        response = client.get(f"/v1/products/{PREFIX}-{chance.randrange(20)}/similar?limit=50")
        if response.status_code == 404:  # not listed at present
            return Answer("similar_404", 0, time.time() * 1000)
        return self._results("similar", response)

    def _receipt(self, client: httpx.Client, chance: random.Random) -> Answer:
        product_id = f"{PREFIX}-{chance.randrange(20)}"
        response = client.get(f"/v1/products/{product_id}/status")
        received = time.time() * 1000
        receipt = self._checked(response)
        shown = [
            Shown(product_id, replica["price"], None)
            for replica in receipt["replicas"]
            if replica["answered"] and replica["searchable"]
        ]
        # One a receipt: that replicas say the same product is no doubling.
        chosen = [chance.choice(shown)] if shown else []
        return Answer("receipt", _milliseconds(receipt["watermark"]), received, chosen)

    def _results(self, kind: str, response: httpx.Response) -> Answer:
        received = time.time() * 1000
        answer = self._checked(response)
        shown = [Shown(result["product_id"], result["price"], result["image_url"]) for result in answer["results"]]
        return Answer(kind, _milliseconds(answer["watermark"]), received, shown, answer["partial"])

    @staticmethod
    def _checked(response: httpx.Response) -> dict[str, Any]:
        if response.status_code != 200:
            raise _NoAnswer(str(response.status_code))
        answer: dict[str, Any] = response.json()
        return answer


class _NoAnswer(Exception):
    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def _milliseconds(watermark: str | None) -> int:
    return 0 if watermark is None else round(datetime.fromisoformat(watermark).timestamp() * 1000)
