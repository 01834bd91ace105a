"""Prometheus metrics and health of the processes that speak gRPC: a small HTTP server beside the gRPC port."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.errors import OperatorError

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Buckets of every latency that is counted."""
METRICS_PORT_OFFSET = 1000
"""A process on gRPC port p shows its metrics at http://host:(p + 1000)/metrics: 8100 broker, 8101.. searchers."""

HEALTHZ, READYZ = "/healthz", "/readyz"
"""200 as long as the process answers; 200 when it answers queries, else 503."""


class DiskSpace(Collector):
    """The file system that a process keeps its state on, or will."""

    def __init__(self, home: str) -> None:
        self._home = Path(home)

    def collect(self) -> Iterator[Metric]:
        usage = shutil.disk_usage(next(each for each in (self._home, *self._home.parents) if each.exists()))
        yield GaugeMetricFamily("vitrine_disk_free_bytes", "Free bytes where VITRINE_HOME is", value=usage.free)
        yield GaugeMetricFamily("vitrine_disk_size_bytes", "Bytes in all where VITRINE_HOME is", value=usage.total)


def serve_metrics(
    registry: CollectorRegistry, host: str, grpc_port: int, is_ready: Callable[[], bool] = lambda: True
) -> Callable[[], None]:
    """Starts the server on a thread of its own; the function returned stops it. Raises `OperatorError`.

    Beside the metrics it says whether the process lives (`/healthz`) and whether it answers queries (`/readyz`), for
    whoever starts it again or waits for it.
    """
    port = grpc_port + METRICS_PORT_OFFSET
    metrics = make_wsgi_app(registry)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path not in (HEALTHZ, READYZ):
            shown: Iterable[bytes] = metrics(environ, start_response)
            return shown
        well = path == HEALTHZ or is_ready()
        start_response("200 OK" if well else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"ok\n" if well else b"not ready\n"]

    class Server(_Server):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    try:
        server = make_server(host, port, app, Server, _Quiet)
    except (OSError, OverflowError) as error:
        raise OperatorError(
            f"metrics port {port} on {host} cannot be bound ({error}); it is gRPC port + {METRICS_PORT_OFFSET}: "
            "stop what listens there or set VITRINE_GRPC_PORT"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Scrapes are no news."""
