"""The tracer, by OpenTelemetry's SDK: spans wait in a bounded queue, and a thread sends them by OTLP over HTTP.

Nothing global of OpenTelemetry is set, so that libraries which trace by themselves go on doing nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from schemas.access.traces import TraceCollector
from schemas.trace_context import TraceContext
from tracing.outbox import SEND_TIMEOUT_S, Outbox
from tracing.tracer import Attributes, Kind, Span

_KINDS = {
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.PRODUCER: SpanKind.PRODUCER,
    Kind.CONSUMER: SpanKind.CONSUMER,
}

# It says every second that nobody answers; `outbox` says it once a minute, and counts.
for _name in ("opentelemetry.exporter", "opentelemetry.sdk"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class OtlpTracer:
    """See `tracing.tracer.Tracer`. What is sampled was decided before: every span that is begun is recorded."""

    def __init__(self, collector: TraceCollector, service: str, instance: str) -> None:
        self.ratio = collector.ratio
        self._outbox = Outbox(OTLPSpanExporter(endpoint=collector.url, timeout=SEND_TIMEOUT_S), collector.url)
        resource = Resource.create(
            {"service.namespace": "vitrine", "service.name": f"vitrine-{service}", "service.instance.id": instance}
        )
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(self._outbox)
        self._tracer = self._provider.get_tracer("vitrine")

    @property
    def sent(self) -> int:
        return self._outbox.sent

    @property
    def dropped(self) -> int:
        return self._outbox.dropped

    def drop(self, spans: int) -> None:
        self._outbox.drop(spans)

    def begin(
        self,
        name: str,
        kind: Kind,
        parent: TraceContext | None,
        attributes: Attributes,
        *,
        links: Iterable[TraceContext] = (),
        began_ns: int | None = None,
    ) -> Span:
        span = self._tracer.start_span(
            name,
            # An empty context, not OpenTelemetry's current one: a span without a parent begins a trace.
            context=trace.set_span_in_context(trace.INVALID_SPAN if parent is None else NonRecordingSpan(_of(parent))),
            kind=_KINDS[kind],
            attributes=attributes,
            links=[trace.Link(_of(link)) for link in links],
            start_time=began_ns,
        )
        return _OtlpSpan(span)

    def close(self) -> None:
        self._provider.shutdown()


class _OtlpSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span
        known = span.get_span_context()
        self.context = TraceContext(
            trace.format_trace_id(known.trace_id), trace.format_span_id(known.span_id), known.trace_flags.sampled
        )

    def name(self, name: str) -> None:
        self._span.update_name(name)

    def add(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def end(self, problem: str = "", ended_ns: int | None = None) -> None:
        if problem:
            self._span.set_status(Status(StatusCode.ERROR, problem))
        self._span.end(ended_ns)


def _of(context: TraceContext) -> SpanContext:
    return SpanContext(
        int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=TraceFlags(context.sampled)
    )
