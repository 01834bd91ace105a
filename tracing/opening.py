"""A tracer where the settings want one; the only door to OpenTelemetry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.access.traces import TraceCollector
from schemas.errors import OperatorError
from tracing.tracer import Tracer


def check_tracing(collector: TraceCollector | None) -> None:
    """Raises `OperatorError` where something is to be traced, and OpenTelemetry is not installed."""
    if collector is None:
        return
    try:
        import tracing.otlp  # noqa: F401
    except ImportError as error:
        raise OperatorError(
            f'traces={collector.url} needs OpenTelemetry ({error}): install "vitrine[traces]", or unset VITRINE_TRACES'
        ) from error


def open_tracer(collector: TraceCollector | None, service: str, instance: str = "") -> Tracer | None:
    """None: nothing is traced. `service` is named `vitrine-...` in traces, `instance` tells its processes apart.

    Raises as `check_tracing`.
    """
    if collector is None:
        return None
    check_tracing(collector)
    from tracing.otlp import OtlpTracer

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
