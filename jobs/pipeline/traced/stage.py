"""A stage whose traced records are spans, and whose outputs belong to the traces of what they followed from.

Around any `Stage`, which knows nothing of it. A call works on many records and
words many outputs; an output belongs to the trace of each record that speaks of
one of its products. What it takes to see that is done for calls with a traced record alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jobs.pipeline.stage import Metrics, Out, Record, Stage
from jobs.pipeline.traced.products import letters_of, products_of
from schemas.access.traces import TraceCollector
from schemas.ids import product_hash
from schemas.topics import EXTRACT_REQUESTS, INDEX_DELTAS, PRODUCT_EVENTS
from schemas.trace_context import MOST_CONTEXTS, TraceContext, contexts_header, read_contexts
from tracing.opening import open_tracer
from tracing.tracer import Kind

_CARRIED = (INDEX_DELTAS, EXTRACT_REQUESTS, PRODUCT_EVENTS)
"""Topics on which a way goes on; copies for the stores and dead letters are no part of it."""

_Products = frozenset[str]


class _Traced(NamedTuple):
    """A record of a call, with one of the traces that it belongs to."""

    record: Record
    context: TraceContext
    products: _Products


class TracedStage:
    """See `jobs.pipeline.stage.Stage`. `topic`: where its records are read; `name`: of its spans."""

    def __init__(self, factory: Callable[[], Stage], name: str, topic: str, collector: TraceCollector) -> None:
        self._stage = factory()
        self._name = name
        self._topic = topic
        self._collector = collector
        self._told = 0

    def open(self, metrics: Metrics) -> None:
        tracer = open_tracer(self._collector, f"job-{self._name}")
        assert tracer is not None  # there is a collector
        self._tracer = tracer
        self._metrics = metrics
        self._stage.open(metrics)

    def close(self) -> None:
        self._stage.close()
        self._tracer.close()

    def process(self, batch: Sequence[Record]) -> list[Out]:
        traced = self._traced(batch)
        began_ns = time.time_ns()
        out = self._stage.process(batch)
        if traced:
            out = self._noted(traced, out, began_ns, len(batch))
        dropped = self._tracer.dropped
        if dropped > self._told:
            self._metrics.count("traces_dropped", dropped - self._told)
            self._told = dropped
        return out

    def _traced(self, batch: Sequence[Record]) -> list[_Traced]:
        """`MOST_CONTEXTS` of the call at most."""
        found = [(record, context) for record in batch if record.trace for context in read_contexts(record.trace)]
        if len(found) > MOST_CONTEXTS:
            self._tracer.drop(len(found) - MOST_CONTEXTS)
        return [
            _Traced(record, context, products_of(self._topic, record.value))
            for record, context in found[:MOST_CONTEXTS]
        ]

    def _noted(self, traced: list[_Traced], out: list[Out], began_ns: int, records: int) -> list[Out]:
        """A span for each record that the call is done with, and `out` with the traces that it belongs to."""
        ended_ns = time.time_ns()
        spoken_of = [products_of(each.topic, each.value) if each.topic in _CARRIED else frozenset() for each in out]
        answered = frozenset[str]().union(
            *(spoken for each, spoken in zip(out, spoken_of, strict=True) if each.topic == INDEX_DELTAS)
        )
        letters = letters_of(out)
        followed: list[tuple[_Products, TraceContext]] = []
        contexts = [each.context for each in traced]
        for each in traced:
            refused = (each.record.partition, each.record.offset) in letters
            # A request whose picture is still on its way goes round many times: that is no work.
            if self._topic == EXTRACT_REQUESTS and not refused and not each.products & answered:
                followed.append((each.products, each.context))
                continue
            span = self._tracer.begin(
                self._name,
                Kind.CONSUMER,
                each.context,
                self._attributes(each, began_ns, records),
                links=[other for other in contexts if other != each.context],
                began_ns=began_ns,
            )
            span.end("dead letter" if refused else "", ended_ns)
            followed.append((each.products, span.context))
        return [
            each._replace(trace=contexts_header(context for products, context in followed if products & spoken))
            for each, spoken in zip(out, spoken_of, strict=True)
        ]

    def _attributes(self, traced: _Traced, began_ns: int, records: int) -> dict[str, str | int | float]:
        record = traced.record
        found: dict[str, str | int | float] = {
            "messaging.system": "kafka",
            "messaging.destination.name": self._topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.batch.message_count": records,
            "vitrine.waited_ms": max(0, began_ns // 1_000_000 - record.timestamp_ms),
        }
        if len(traced.products) == 1:
            found["vitrine.product_hash"] = product_hash(next(iter(traced.products))).hex()
        return found
