"""A collector of traces for tests: an HTTP server that decodes real OTLP with OpenTelemetry's own messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """One span as it came. Ids are hex; times Unix nanoseconds."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began_ns: int
    ended_ns: int
    problem: str
    attributes: dict[str, Any]
    links: tuple[str, ...]


class Collector:
    """`spans`: all that came, in any order. `refusing`: answers 503 from then on."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.bodies: list[bytes] = []
        self.refusing = False
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                right = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
                if right and not collector.refusing:
                    collector.bodies.append(body)
                    collector.spans.extend(_spans(ExportTraceServiceRequest.FromString(body)))
                self.send_response(503 if collector.refusing else 200 if right else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def of(self, trace_id: str) -> list[Seen]:
        """That trace's spans by when they began."""
        return sorted((span for span in self.spans if span.trace_id == trace_id), key=lambda span: span.began_ns)


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.server.shutdown()
        collector.server.server_close()
        thread.join()


def _spans(request: Any) -> Iterator[Seen]:
    for resource in request.resource_spans:
        service = {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"]
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield Seen(
                service=service,
                name=span.name,
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                began_ns=span.start_time_unix_nano,
                ended_ns=span.end_time_unix_nano,
                problem=span.status.message,
                attributes={each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes},
                links=tuple(link.trace_id.hex() for link in span.links),
            )
