"""The end of an event's way: a searcher has applied the record that followed from it."""

from __future__ import annotations

import time

from messaging.consumer import Message
from schemas.topics import INDEX_DELTAS
from schemas.trace_context import read_contexts
from tracing.tracer import Kind, Tracer


class AppliedDeltas:
    """Notes a span for each trace of a record of `index-deltas`. Any thread."""

    def __init__(self, tracer: Tracer, shard: int, replica: int) -> None:
        self._tracer = tracer
        self._attributes: dict[str, str | int | float] = {
            "messaging.system": "kafka",
            "messaging.destination.name": INDEX_DELTAS,
            "vitrine.shard": shard,
            "vitrine.replica": replica,
        }

    def note(self, message: Message, began_ns: int, rows: int, generation: str) -> None:
        """To be called when the shard shows what is in the record. `rows`: how many of it are this shard's."""
        contexts = read_contexts(message.trace)
        if not contexts:
            return
        ended_ns = time.time_ns()
        attributes = {
            **self._attributes,
            "messaging.destination.partition.id": str(message.partition),
            "messaging.kafka.offset": message.offset,
            "vitrine.rows": rows,
            "vitrine.generation": generation,
            "vitrine.waited_ms": max(0, began_ns // 1_000_000 - message.timestamp_ms),
        }
        for context in contexts:
            others = [other for other in contexts if other != context]
            span = self._tracer.begin(
                "apply deltas", Kind.CONSUMER, context, attributes, links=others, began_ns=began_ns
            )
            span.end(ended_ns=ended_ns)
