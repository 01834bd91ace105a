"""Erasing a product over HTTP: puts the shop's `product_erased` into the log, for those whose key may."""

from __future__ import annotations

import asyncio
from threading import Lock
from typing import Any

import msgspec

from messaging.producer import EventProducer
from schemas.access.kafka import Kafka
from schemas.errors import RejectedError, TransientError
from schemas.product_event import ProductErased, check_event
from schemas.topics import PRODUCT_EVENTS
from serving.blender.answers import ErasureAccepted

WRITE_TIMEOUT_S = 5.0


class Erasures:
    """Writes to the log of `kafka`, to which it connects with the first erasure. `keyed`: whether callers need keys.

    Without keys nothing is erased: any page in a browser on this machine could ask for it.
    """

    def __init__(self, kafka: Kafka, *, keyed: bool, timeout_s: float = WRITE_TIMEOUT_S) -> None:
        self._kafka = kafka
        self._keyed = keyed
        self._timeout_s = timeout_s
        self._connecting = Lock()
        self._producer: EventProducer | None = None

    async def erase(self, product_id: str) -> ErasureAccepted:
        """Returns once the event is in the log, from where it takes effect as any other.

        Raises `RejectedError` where callers need no keys and for what is no product's id, `TransientError`
        when Kafka has not taken the event in time: it may still.
        """
        if not self._keyed:
            raise RejectedError(
                "erasing_needs_keys",
                "products are erased over HTTP where API keys are asked for (VITRINE_API_KEYS_FILE) by one of the "
                "role erase; or produce a product_erased event, see docs/events.md",
            )
        return await asyncio.to_thread(self._write, product_id)

    def _write(self, product_id: str) -> ErasureAccepted:
        key = product_id.encode()
        event = ProductErased(product_id=product_id)
        check_event(event)
        delivered: list[tuple[Any, Any]] = []

        def note(error: object, message: object) -> None:
            delivered.append((error, message))

        producer = self._connected()
        producer.send(PRODUCT_EVENTS, key, msgspec.json.encode(event), delivered=note)
        producer.flush(self._timeout_s + 1.0)
        error, message = delivered[0]
        if error is not None:
            raise TransientError("kafka_unavailable", f"the erasure of {product_id!r} is not in the log: {error}")
        return ErasureAccepted(product_id=product_id, partition=message.partition(), offset=message.offset())

    def _connected(self) -> EventProducer:
        with self._connecting:
            if self._producer is None:
                self._producer = EventProducer(self._kafka, linger_ms=0, delivery_timeout_s=self._timeout_s)
            return self._producer
