"""The tracer on a real collector: what arrives, and what happens where none answers."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from schemas.access.traces import TraceCollector
from schemas.errors import OperatorError
from schemas.trace_context import TraceContext, read_context
from tests.support.collector import collecting
from tracing.current import current, within
from tracing.opening import check_tracing, open_tracer, tracing
from tracing.outbox import MOST_WAITING
from tracing.producing import stamp_of
from tracing.tracer import Kind, Tracer, is_traced

PARENT = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


def opened(url: str, ratio: float = 1.0) -> Tracer:
    tracer = open_tracer(TraceCollector(f"{url}/v1/traces", ratio), "test")
    assert tracer is not None
    return tracer


def wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"not within 60 s: {what}"
        time.sleep(0.01)


def test_spans_arrive_as_parts_of_their_trace() -> None:
    with collecting() as collector:
        tracer = opened(collector.url)
        outer = tracer.begin("outer", Kind.SERVER, PARENT, {"of": 1})
        inner = tracer.begin("inner", Kind.CLIENT, outer.context, {}, links=[PARENT], began_ns=time.time_ns())
        inner.end("UNAVAILABLE")
        outer.name("POST /v1/search")
        outer.end()
        tracer.close()
    first, second = collector.of(PARENT.trace_id)
    assert (first.service, first.name, first.parent_id) == ("vitrine-test", "POST /v1/search", PARENT.span_id)
    assert first.attributes == {"of": 1}
    assert (second.name, second.parent_id, second.problem) == ("inner", first.span_id, "UNAVAILABLE")
    assert second.links == (PARENT.trace_id,)
    assert first.began_ns <= second.began_ns <= second.ended_ns <= first.ended_ns
    assert (tracer.sent, tracer.dropped) == (2, 0)


def test_without_a_parent_a_trace_begins_and_what_came_decides() -> None:
    with collecting() as collector:
        never, always = opened(collector.url, 0.0), opened(collector.url, 1.0)
        assert is_traced(never, PARENT)
        assert not is_traced(never, None)
        assert is_traced(always, None)
        assert not is_traced(always, PARENT._replace(sampled=False))
        root = always.begin("root", Kind.SERVER, None, {})
        root.end()
        never.close()
        always.close()
    (span,) = collector.spans
    assert (span.trace_id, span.parent_id) == (root.context.trace_id, "")


def test_collector_that_is_away_holds_nobody_up_and_what_is_given_up_is_counted() -> None:
    """Nobody listens, then somebody who never answers; so many spans wait at most."""
    listener = socket.create_server(("127.0.0.1", 0))
    silent = f"http://127.0.0.1:{listener.getsockname()[1]}"
    closed = socket.create_server(("127.0.0.1", 0))
    nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    closed.close()
    for url in (nobody, silent):
        tracer = opened(url)
        spans = 3 * MOST_WAITING
        for _ in range(spans):
            tracer.begin("lost", Kind.SERVER, None, {}).end()
        assert spans - tracer.dropped <= MOST_WAITING
        tracer.close()
        assert (tracer.sent, tracer.dropped) == (0, spans)
    listener.close()


def test_collector_that_comes_back_gets_what_comes_then() -> None:
    with collecting() as collector:
        collector.refusing = True
        tracer = opened(collector.url)
        tracer.begin("lost", Kind.SERVER, None, {}).end()
        wait(lambda: tracer.dropped == 1, "the span is given up")
        collector.refusing = False
        tracer.begin("kept", Kind.SERVER, None, {}).end()
        wait(lambda: tracer.sent == 1, "the next one is taken")
        tracer.close()
    assert [span.name for span in collector.spans] == ["kept"]


def test_records_belong_to_the_request_that_they_are_written_for() -> None:
    with collecting() as collector:
        tracer = opened(collector.url, 0.0)
        stamp = stamp_of(tracer)
        assert stamp is not None
        assert stamp("product-events") == []
        with within(PARENT._replace(sampled=False)):
            assert stamp("product-events") == [("traceparent", str(PARENT._replace(sampled=False)).encode())]
        with within(PARENT):
            ((name, value),) = stamp("product-events")
        tracer.close()
    (span,) = collector.spans
    assert (name, read_context(value)) == ("traceparent", TraceContext(PARENT.trace_id, span.span_id))
    assert (span.name, span.parent_id) == ("publish product-events", PARENT.span_id)
    assert stamp_of(None) is None


def test_each_thread_and_request_has_its_own_trace() -> None:
    seen: list[TraceContext | None] = []
    with within(PARENT):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
        seen.append(current())
    assert [*seen, current()] == [None, PARENT, None]


def test_where_nothing_is_traced_nothing_is_opened() -> None:
    with tracing(None, "test") as tracer:
        assert tracer is None


def test_missing_package_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tracing.otlp", None)
    collector = TraceCollector("http://127.0.0.1:4318/v1/traces", 1.0)
    check_tracing(None)
    for refused in (lambda: check_tracing(collector), lambda: open_tracer(collector, "test")):
        with pytest.raises(OperatorError, match=r"vitrine\[traces\]"):
            refused()


OF_FASTAPI = {"serving.blender.main"}
"""FastAPI brings OpenTelemetry's interface along, which does nothing."""


@pytest.mark.parametrize(
    "program",
    [
        *("serving.searcher.main", "serving.broker.main", "serving.blender.main", "serving.heartbeat.main"),
        *("jobs.realtime_index.main", "jobs.pipeline.flink.arrow_adapter", "jobs.pipeline.traced.stage", "cli.main"),
        *("cli.commands.catalogue.produce", "cli.importers.importing"),
    ],
)
def test_no_program_loads_opentelemetry_to_start(program: str) -> None:
    wanted = "opentelemetry.sdk" if program in OF_FASTAPI else "opentelemetry"
    code = f"import {program}, sys; print(*(name for name in sys.modules if name.startswith({wanted!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
