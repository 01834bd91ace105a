"""Calls between blender, broker and searchers as spans: the asker's and, as a part of it, the other end's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc.aio

from schemas.search_pb2 import (
    DetailsRequest,
    DetailsResponse,
    ProductRequest,
    ProductResponse,
    SearchRequest,
    SearchResponse,
    StatusRequest,
    StatusResponse,
)
from schemas.search_pb2_grpc import SearchServicer
from schemas.trace_context import TRACEPARENT, TraceContext, read_context
from tracing.current import current, within
from tracing.tracer import Kind, Tracer

_Response = TypeVar("_Response")


async def traced_call(
    tracer: Tracer, address: str, method: Callable[..., Awaitable[_Response]], request: Any, timeout_s: float
) -> _Response:
    """Calls `method` of the server at `address` with the trace of the task that asks, if that is traced.

    A status is nobody's: whoever looks at all replicas again and again was started amid some request.
    """
    parent = current()
    if parent is None or not parent.sampled or isinstance(request, StatusRequest):
        return await method(request, timeout=timeout_s)
    name = type(request).__name__.removesuffix("Request")
    span = tracer.begin(f"ask {name}", Kind.CLIENT, parent, {"rpc.system": "grpc", "server.address": address})
    problem = "given up"
    try:
        answer = await method(request, timeout=timeout_s, metadata=((TRACEPARENT, str(span.context)),))
        problem = ""
    except grpc.aio.AioRpcError as error:
        problem = error.code().name
        raise
    finally:
        span.end(problem)
    return answer


class TracedServicer(SearchServicer):
    """Answers as `servicer` does. Traces begin at HTTP: a call without one is not traced."""

    def __init__(self, servicer: SearchServicer, tracer: Tracer) -> None:
        self._servicer: Any = servicer
        self._tracer = tracer

    async def Search(self, request: SearchRequest, context: Any) -> SearchResponse:  # noqa: N802
        return await self._traced("Search", self._servicer.Search, request, context)

    async def Product(self, request: ProductRequest, context: Any) -> ProductResponse:  # noqa: N802
        return await self._traced("Product", self._servicer.Product, request, context)

    async def Details(self, request: DetailsRequest, context: Any) -> DetailsResponse:  # noqa: N802
        return await self._traced("Details", self._servicer.Details, request, context)

    async def Status(self, request: StatusRequest, context: Any) -> StatusResponse:  # noqa: N802
        answer: StatusResponse = await self._servicer.Status(request, context)
        return answer

    async def _traced(
        self, name: str, method: Callable[[Any, Any], Awaitable[_Response]], request: Any, context: Any
    ) -> _Response:
        parent = _context_of(context)
        if parent is None or not parent.sampled:
            return await method(request, context)
        span = self._tracer.begin(name, Kind.SERVER, parent, {"rpc.system": "grpc", "rpc.method": name})
        problem = "no answer"
        try:
            with within(span.context):
                answer = await method(request, context)
            problem = ""
        finally:
            span.end(problem)
        return answer


def _context_of(context: Any) -> TraceContext | None:
    return read_context(
        next((value for name, value in context.invocation_metadata() or () if name == TRACEPARENT), None)
    )
