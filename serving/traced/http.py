"""A request to the blender as a span, and whatever is asked for it as parts of that."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.trace_context import TRACEPARENT, TraceContext, read_context
from tracing.current import within
from tracing.tracer import Kind, Tracer, is_traced

_TRACED = "/v1/"
_HEADER = TRACEPARENT.encode()


class TracedRequests:
    """ASGI, around the whole application. Says route and status, and nothing of what was asked."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_TRACED):
            await self._app(scope, receive, send)
            return
        parent = _context_of(scope)
        if not is_traced(self._tracer, parent):
            with within(parent):
                await self._app(scope, receive, send)
            return
        method = scope["method"]
        span = self._tracer.begin(method, Kind.SERVER, parent, {"http.request.method": method})
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with within(span.context):
                await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "") or _TRACED
            span.name(f"{method} {route}")
            span.add({"http.route": route, "http.response.status_code": status})
            span.end(str(status) if status >= 500 else "")


def _context_of(scope: Scope) -> TraceContext | None:
    """What the request says; several headers are none, as the W3C has it."""
    said = [value for name, value in scope["headers"] if name == _HEADER]
    return read_context(said[0]) if len(said) == 1 else None
