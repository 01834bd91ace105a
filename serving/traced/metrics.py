"""How many spans reached the collector, among the metrics of a process that traces."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from tracing.tracer import Tracer


class TraceCounts(Collector):
    """To be registered where a process shows its metrics."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily("vitrine_traces_sent", "Spans that the collector has taken", value=self._tracer.sent)
        yield CounterMetricFamily(
            "vitrine_traces_dropped", "Spans given up: the collector is away or too slow", value=self._tracer.dropped
        )
