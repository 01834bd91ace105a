"""A tracer where the settings want one; the only door to OpenTelemetry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.access.traces import TraceCollector
from schemas.errors import OperatorError
from tracing.tracer import Tracer


def open_tracer(collector: TraceCollector | None, service: str, instance: str = "") -> Tracer | None:
    """None: nothing is traced. `service` is named `vitrine-...` in traces, `instance` tells its processes apart.

    Raises `OperatorError` where OpenTelemetry is not installed.
    """
    if collector is None:
        return None
    try:
        from tracing.otlp import OtlpTracer
    except ImportError as error:
        raise OperatorError(
            f'traces={collector.url} needs OpenTelemetry ({error}): install "vitrine[traces]", or unset VITRINE_TRACES'
        ) from error
    return OtlpTracer(collector, service, instance or service)


@contextmanager
def tracing(collector: TraceCollector | None, service: str, instance: str = "") -> Iterator[Tracer | None]:
    """The same, closed at the end."""
    tracer = open_tracer(collector, service, instance)
    try:
        yield tracer
    finally:
        if tracer is not None:
            tracer.close()
