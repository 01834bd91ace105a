"""Ended spans on their way to the collector: so many wait at most, and what is given up is counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

log = logging.getLogger(__name__)

MOST_WAITING = 2048
"""Spans; some two kilobytes each."""
BATCH = 256
SEND_EVERY_S = 1.0
SEND_TIMEOUT_S = 5.0
"""For one batch, its further attempts included; after that it is given up."""
STOP_WAIT_S = 2.0
"""After that nothing more is sent, when a process ends."""
_WARN_EVERY_S = 60.0


class Outbox(SpanProcessor):
    """Takes ended spans and never waits. `exporter` is called from a thread of OpenTelemetry's batch processor."""

    def __init__(self, exporter: SpanExporter, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._waiting = 0
        self._warned_at = -_WARN_EVERY_S
        self.sent = 0
        self.dropped = 0
        self._exporter = exporter
        self._batches = BatchSpanProcessor(
            _Counted(exporter, self),
            max_queue_size=MOST_WAITING,
            schedule_delay_millis=SEND_EVERY_S * 1000,
            max_export_batch_size=BATCH,
            export_timeout_millis=SEND_TIMEOUT_S * 1000,
        )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing is done with a span before its end."""

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            full = self._waiting >= MOST_WAITING
            self._waiting += not full
        if full:
            self.drop(1)
        else:
            self._batches.on_end(span)

    def handed(self, spans: int, taken: bool) -> None:
        """So many do not wait any longer: the collector has taken them, or they are given up."""
        with self._lock:
            self._waiting -= spans
            self.sent += spans * taken
        if not taken:
            self.drop(spans)

    def drop(self, spans: int) -> None:
        with self._lock:
            self.dropped += spans
            silent = time.monotonic() - self._warned_at < _WARN_EVERY_S
            if not silent:
                self._warned_at = time.monotonic()
        if not silent:
            log.warning("event=traces_dropped spans=%d collector=%s effect=none_but_on_traces", self.dropped, self._url)

    def shutdown(self) -> None:
        """Sends what waits, once; what the collector has not taken within `STOP_WAIT_S` is given up."""
        patience = threading.Timer(STOP_WAIT_S, self._exporter.shutdown)
        patience.daemon = True
        patience.start()
        self._batches.shutdown()  # type: ignore[no-untyped-call]  # OpenTelemetry's
        patience.cancel()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._batches.force_flush(timeout_millis)


class _Counted(SpanExporter):
    def __init__(self, exporter: SpanExporter, outbox: Outbox) -> None:
        self._exporter = exporter
        self._outbox = outbox

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self._outbox.handed(len(spans), result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
