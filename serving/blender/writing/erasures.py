"""Erasing a product over HTTP: puts the shop's `product_erased` into the log, for those whose key may."""

from __future__ import annotations

import msgspec

from schemas.access.kafka import Kafka
from schemas.errors import RejectedError
from schemas.events.event import ProductErased, check_event
from schemas.topics import PRODUCT_EVENTS
from serving.blender.showing.answers import ErasureAccepted
from serving.blender.writing.acknowledged import WRITE_TIMEOUT_S, AcknowledgedWriter
from tracing.producing import Stamp


class Erasures:
    """Writes to the log of `kafka`, to which it connects with the first erasure. `keyed`: whether callers need keys.

    Without keys nothing is erased: any page in a browser on this machine could ask for it.
    """

    def __init__(
        self, kafka: Kafka, *, keyed: bool, timeout_s: float = WRITE_TIMEOUT_S, stamp: Stamp | None = None
    ) -> None:
        """`stamp`: for the trace that the event belongs to; None: nothing is traced."""
        self._keyed = keyed
        self._writer = AcknowledgedWriter(kafka, timeout_s=timeout_s, stamp=stamp)

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
        event = ProductErased(product_id=product_id)
        check_event(event)
        record = (product_id.encode(), msgspec.json.encode(event))
        (written,) = await self._writer.write(PRODUCT_EVENTS, [record], f"the erasure of {product_id!r}")
        return ErasureAccepted(product_id=product_id, partition=written.partition, offset=written.offset)
