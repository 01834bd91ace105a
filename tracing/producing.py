"""Events that are written belong to a trace: the one of whoever asked for it, or one that begins here."""

from __future__ import annotations

from collections.abc import Callable

from schemas.trace_context import TRACEPARENT, TraceContext
from tracing.current import current
from tracing.tracer import Kind, Tracer, is_traced

Stamp = Callable[[str], list[tuple[str, bytes]]]
"""The headers of a record, by the topic that it is written to; what `messaging.producer.EventProducer` asks."""


def stamp_of(tracer: Tracer | None, parent: TraceContext | None = None) -> Stamp | None:
    """None where nothing is traced. `parent`: of records that are written outside of any request.

    A span of a record is a moment: a producer only queues.
    """
    if tracer is None:
        return None

    def stamp(topic: str) -> list[tuple[str, bytes]]:
        context = current() or parent
        if is_traced(tracer, context):
            attributes = {"messaging.system": "kafka", "messaging.destination.name": topic}
            span = tracer.begin(f"publish {topic}", Kind.PRODUCER, context, attributes)
            span.end()
            context = span.context
        return [] if context is None else [(TRACEPARENT, str(context).encode())]

    return stamp
