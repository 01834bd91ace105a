"""Requests over HTTP and gRPC, and applied records, as spans of the trace that they came with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from starlette.types import Message, Receive, Scope, Send

from messaging.consumer import Message as Record
from schemas.access.traces import TraceCollector
from schemas.errors import RejectedError
from schemas.search_pb2 import StatusRequest
from schemas.trace_context import TRACEPARENT, TraceContext, contexts_header
from serving.grpc_api import GrpcBackend, start_server
from serving.local import LocalBackend
from serving.traced.feed import AppliedDeltas
from serving.traced.http import TracedRequests
from serving.traced.metrics import TraceCounts
from tests.support.collector import Collector, collecting
from tests.support.serving.world import apply, batch, direction, listed, query, ready_searcher
from tracing.current import current, within
from tracing.opening import open_tracer
from tracing.tracer import Tracer

pytestmark = pytest.mark.anyio

PARENT = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


def opened(collector: Collector, ratio: float = 0.0) -> Tracer:
    tracer = open_tracer(TraceCollector(f"{collector.url}/v1/traces", ratio), "test")
    assert tracer is not None
    return tracer


async def request(tracer: Tracer, *headers: tuple[bytes, bytes], path: str = "/v1/search/text") -> TraceContext | None:
    """What the application sees of the trace, of a request with a private query."""
    seen: list[TraceContext | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(current())
        await send({"type": "http.response.start", "status": 503, "headers": []})

    async def receive() -> Message:
        raise AssertionError("nobody reads it")

    async def send(message: Message) -> None:
        assert message["status"] == 503

    scope: Scope = {"type": "http", "method": "GET", "path": path, "query_string": b"q=secret", "headers": headers}
    await TracedRequests(app, tracer)(scope, receive, send)
    return seen[0]


async def test_request_with_a_trace_is_a_span_of_it_and_says_nothing_of_what_was_asked(collector: Collector) -> None:
    tracer = opened(collector)
    inside = await request(tracer, (TRACEPARENT.encode(), str(PARENT).encode()))
    tracer.close()
    (span,) = collector.of(PARENT.trace_id)
    assert inside == TraceContext(PARENT.trace_id, span.span_id)
    assert (span.parent_id, span.problem, span.attributes["http.response.status_code"]) == (PARENT.span_id, "503", 503)
    assert not any(b"secret" in body for body in collector.bodies)


async def test_request_is_recorded_as_its_sender_or_the_ratio_says(collector: Collector) -> None:
    never, always = opened(collector), opened(collector, 1.0)
    header = TRACEPARENT.encode()
    unsampled = PARENT._replace(sampled=False)
    assert await request(never) is None
    assert await request(never, (header, b"garbage")) is None
    assert await request(always, (header, str(unsampled).encode())) == unsampled
    assert await request(always, path="/metrics") is None
    begun = await request(always, (header, str(PARENT).encode()), (header, str(PARENT).encode()))
    assert begun is not None
    assert begun.trace_id != PARENT.trace_id  # two headers are none
    never.close()
    always.close()
    assert [span.trace_id for span in collector.spans] == [begun.trace_id]


async def test_call_over_the_wire_is_a_span_at_both_ends(collector: Collector) -> None:
    searcher = ready_searcher()
    deltas = batch()
    listed(deltas, "p", [direction(1)])
    apply(searcher, deltas)
    tracer = opened(collector)
    backend = LocalBackend(searcher)
    server, port = await start_server(backend, "127.0.0.1", 0, tracer=tracer)
    remote = GrpcBackend(f"127.0.0.1:{port}", tracer=tracer)
    try:
        await remote.search(query(direction(1)), 10.0)
        with within(PARENT._replace(sampled=False)):
            await remote.search(query(direction(1)), 10.0)
        with within(PARENT):
            await remote.search(query(direction(1)), 10.0)
            await remote.status(10.0, StatusRequest())
            with pytest.raises(RejectedError):
                await remote.search(query(np.ones(2, np.float32)), 10.0)
    finally:
        await remote.close()
        await server.stop(None)
        await backend.close()
        tracer.close()
    assert {span.trace_id for span in collector.spans} == {PARENT.trace_id}
    asked = [span for span in collector.of(PARENT.trace_id) if span.name == "ask Search"]
    answered = {span.parent_id: span for span in collector.spans if span.name == "Search"}
    assert [span.parent_id for span in asked] == [PARENT.span_id] * 2
    assert [bool(span.problem) for span in asked] == [False, True]
    assert [bool(answered[span.span_id].problem) for span in asked] == [False, True]
    assert len(collector.spans) == 4


async def test_applied_record_is_a_span_of_each_of_its_traces(collector: Collector) -> None:
    tracer = opened(collector)
    other = PARENT._replace(trace_id="a" * 32)
    applied = AppliedDeltas(tracer, 1, 0)
    trace = contexts_header([PARENT, other])
    applied.note(Record(b"0", b"", 7, 1_000, 3, trace), 1_500_000_000, 2, "live")
    applied.note(Record(b"0", b"", 8, 1_000, 3, b"garbage"), 1_500_000_000, 2, "live")
    tracer.close()
    first, second = collector.of(PARENT.trace_id)[0], collector.of(other.trace_id)[0]
    assert (first.name, first.parent_id, first.links) == ("apply deltas", PARENT.span_id, (other.trace_id,))
    assert first.attributes | {"vitrine.shard": 1} == second.attributes
    assert (first.attributes["messaging.kafka.offset"], first.attributes["vitrine.waited_ms"]) == (7, 500)
    assert len(collector.spans) == 2


async def test_counts_are_among_the_metrics(collector: Collector) -> None:
    tracer = opened(collector)
    await request(tracer, (TRACEPARENT.encode(), str(PARENT).encode()))
    tracer.drop(3)
    tracer.close()
    registry = CollectorRegistry()
    registry.register(TraceCounts(tracer))
    text = generate_latest(registry).decode()
    assert "vitrine_traces_sent_total 1.0" in text
    assert "vitrine_traces_dropped_total 3.0" in text
