"""uvicorn as the blender runs it: one connection class, limits, and nothing that is not used."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from schemas.settings import Settings
from serving.blender.http.connection.protocol import HttpLimits, bounded
from serving.blender.metrics import BlenderMetrics

GRACE_S = 5
"""For requests under way when the process is told to stop."""


class HttpServer(uvicorn.Server):
    """Leaves the signals to `run_process`: there are feeds to stop after the server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def http_limits(settings: Settings) -> HttpLimits:
    return HttpLimits(
        header_timeout_s=settings.http_header_timeout_s,
        body_timeout_s=settings.http_body_timeout_s,
        idle_timeout_s=settings.http_idle_timeout_s,
        max_connections=settings.http_max_connections,
        max_header_bytes=settings.http_max_header_bytes,
    )


def http_server(
    app: ASGIApp,
    limits: HttpLimits | None = None,
    tls: ssl.SSLContext | None = None,
    metrics: BlenderMetrics | None = None,
) -> HttpServer:
    """A server of `app`, to be run with `serve(sockets=[...])`."""

    def refused(reason: str) -> None:
        if metrics is not None:
            metrics.connections_refused.labels(reason).inc()

    limits = limits or HttpLimits()
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http=bounded(limits, refused),
        ws="none",
        # Nothing depends on what a proxy says of its client, so nobody needs to be believed.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=limits.idle_timeout_s,  # type: ignore[arg-type]  # seconds for `call_later`
        timeout_graceful_shutdown=GRACE_S,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
    return HttpServer(config)
