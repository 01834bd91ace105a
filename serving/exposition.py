"""Prometheus metrics of the processes that speak gRPC: a small HTTP server beside the gRPC port."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, start_http_server

from schemas.errors import OperatorError

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Buckets of every latency that is counted."""
METRICS_PORT_OFFSET = 1000
"""A process on gRPC port p shows its metrics at http://host:(p + 1000)/metrics: 8100 broker, 8101.. searchers."""


def serve_metrics(registry: CollectorRegistry, host: str, grpc_port: int) -> Callable[[], None]:
    """Starts the server on a thread of its own; the function returned stops it. Raises `OperatorError`."""
    port = grpc_port + METRICS_PORT_OFFSET
    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, OverflowError) as error:
        raise OperatorError(
            f"metrics port {port} on {host} cannot be bound ({error}); it is gRPC port + {METRICS_PORT_OFFSET}: "
            "stop what listens there or set VITRINE_GRPC_PORT"
        ) from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
