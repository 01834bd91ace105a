"""Clicks: what shoppers did with the products that an answer had shown, put into the search log."""

from __future__ import annotations

from collections.abc import Sequence

from messaging.producer import now_ms
from schemas.access.kafka import Kafka
from schemas.search_log import ClickRecord, encode_record
from schemas.topics import CLICKS
from serving.blender.metrics import BlenderMetrics
from serving.blender.showing.answers import ClickAsked, ClicksAccepted
from serving.blender.writing.acknowledged import WRITE_TIMEOUT_S, AcknowledgedWriter


class Clicks:
    """Writes to the search log of `kafka`, to which it connects with the first click. Lives on one event loop."""

    def __init__(self, kafka: Kafka, metrics: BlenderMetrics, *, timeout_s: float = WRITE_TIMEOUT_S) -> None:
        self._metrics = metrics
        self._writer = AcknowledgedWriter(kafka, timeout_s=timeout_s)

    async def note(self, clicks: Sequence[ClickAsked]) -> ClicksAccepted:
        """Returns once they are in the log, as of now.

        Raises `TransientError` when Kafka has not taken one in time: it may still, and one that is
        sent again counts once.
        """
        at_ms = now_ms()
        records = [
            ClickRecord(
                search_id=click.search_id,
                product_id=click.product_id,
                position=click.position,
                at_ms=at_ms,
                kind=click.kind,
            )
            for click in clicks
        ]
        values = [(record.search_id.encode(), encode_record(record)) for record in records]
        await self._writer.write(CLICKS, values, "a click" if len(values) == 1 else f"one of {len(values)} clicks")
        for click in clicks:
            self._metrics.clicks.labels(click.kind).inc()
        return ClicksAccepted(len(records))
