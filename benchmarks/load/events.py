"""The load generator: a process of its own that produces the shop's events, paced or as fast as it can."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as Event_
from typing import Any, Literal

from benchmarks.load.shop import Event, Shop
from messaging.producer import EventProducer
from schemas.access.kafka import Kafka
from schemas.topics import PRODUCT_EVENTS

LINGER_MS = 5.0
"""Kafka's own default since 4.0."""

Stream = Literal["listings", "mix", "prices"]


@dataclass(slots=True)
class Produced:
    """What one order came to. Times are Unix seconds; `last_append_ms` is the broker's clock."""

    events: int = 0
    began: float = 0.0
    ended: float = 0.0
    last_append_ms: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    @property
    def per_s(self) -> float:
        return self.events / (self.ended - self.began)


class LoadGenerator:
    """Runs orders one after the other over one `Shop`, whose state lasts between them."""

    def __init__(self, bootstrap: Kafka, images: int, seed: int = 1, new_pictures: Sequence[str] = ()) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._stop = context.Event()
        arguments = (theirs, self._stop, bootstrap, images, seed, list(new_pictures))
        self._process = context.Process(target=_serve, args=arguments, name="load-generator", daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def begin(self, stream: Stream, count: int | None, per_s: float = 0.0) -> None:
        """Orders `count` events (None: until `end`), at `per_s` a second (0: at once)."""
        self._stop.clear()
        self._ours.send((stream, count, per_s))

    def wait(self) -> Produced:
        """Until the whole order is in the log. Raises what the generator raised."""
        answer = self._ours.recv()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Produced)
        return answer

    def end(self) -> Produced:
        """Ends the order early, then as `wait`."""
        self._stop.set()
        return self.wait()

    def run(self, stream: Stream, count: int, per_s: float = 0.0) -> Produced:
        self.begin(stream, count, per_s)
        return self.wait()

    def close(self) -> None:
        self._ours.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.terminate()


def _serve(
    orders: Connection, stop: Event_, bootstrap: Kafka, images: int, seed: int, new_pictures: Sequence[str]
) -> None:
    shop = Shop(images, seed, new_pictures)
    streams: dict[str, Iterator[Event]] = {"listings": shop.listings(), "mix": shop.mix(), "prices": shop.prices()}
    producer = EventProducer(bootstrap, linger_ms=LINGER_MS)
    while True:
        try:
            stream, count, per_s = orders.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            orders.send(_produce(producer, islice(streams[stream], count), per_s, stop))
        except Exception as error:  # noqa: BLE001 - it is raised again where the order was given
            orders.send(error)


def _produce(producer: EventProducer, events: Iterator[Event], per_s: float, stop: Event_) -> Produced:
    done = Produced(began=time.time())

    def delivered(error: Any, message: Any) -> None:
        if error is not None:
            raise RuntimeError(f"a record was not written: {error}")
        done.last_append_ms = max(done.last_append_ms, message.timestamp()[1])

    began = time.perf_counter()
    for event in events:
        if stop.is_set():
            break
        if per_s:
            early = began + done.events / per_s - time.perf_counter()
            if early > 0.001:  # a little ahead costs less than a sleep for each
                time.sleep(early)
        producer.send(PRODUCT_EVENTS, event.key, event.value, delivered=delivered)
        done.events += 1
        done.kinds[event.kind.value] = done.kinds.get(event.kind.value, 0) + 1
    done.ended = time.time()
    producer.flush()
    return done
