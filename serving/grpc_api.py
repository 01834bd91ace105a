"""`SearchBackend` over gRPC: one servicer puts any backend on the wire, `GrpcBackend` is the other end.

Errors travel as a status code and "reason: detail", and come out as the error
that went in; this is the only place that knows the mapping.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio

from schemas.access.certificates import Certificates
from schemas.errors import OperatorError, RejectedError, TransientError
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
from schemas.search_pb2_grpc import SearchServicer, SearchStub, add_SearchServicer_to_server
from serving.backend import EXTRACTOR_MISMATCH, NOT_READY, OVERDUE, UNREACHABLE, SearchBackend
from serving.traced.grpc import TracedServicer, traced_call
from tracing.tracer import Tracer

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
DEFAULT_TIMEOUT_S = 10.0
"""For callers that sent no deadline of their own."""
LET_END_S = 30.0
"""For calls under way over a connection that another one has replaced."""

_CHANNEL_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A searcher that restarts is found again within a fraction of a second; gRPC's default grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]
_SERVER_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Two processes on one port would silently share the queries of a shard.
    ("grpc.so_reuseport", 0),
]

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class BackendServicer(SearchServicer):
    """Answers the wire's calls from a backend, on grpc.aio's event loop."""

    def __init__(self, backend: SearchBackend) -> None:
        self._backend = backend

    async def Search(self, request: SearchRequest, context: Any) -> SearchResponse:  # noqa: N802
        return await _answer(self._backend.search(request, _time_left_s(context)), context)

    async def Product(self, request: ProductRequest, context: Any) -> ProductResponse:  # noqa: N802
        return await _answer(self._backend.product(request, _time_left_s(context)), context)

    async def Details(self, request: DetailsRequest, context: Any) -> DetailsResponse:  # noqa: N802
        return await _answer(self._backend.details(request, _time_left_s(context)), context)

    async def Status(self, request: StatusRequest, context: Any) -> StatusResponse:  # noqa: N802
        return await _answer(self._backend.status(_time_left_s(context), request), context)


async def _answer(work: Awaitable[_Response], context: Any) -> _Response:
    try:
        return await work
    except RejectedError as error:
        mismatch = error.reason == EXTRACTOR_MISMATCH
        code = grpc.StatusCode.FAILED_PRECONDITION if mismatch else grpc.StatusCode.INVALID_ARGUMENT
        return await _abort(context, code, str(error))
    except TransientError as error:
        code = grpc.StatusCode.DEADLINE_EXCEEDED if error.reason == OVERDUE else grpc.StatusCode.UNAVAILABLE
        return await _abort(context, code, str(error))


async def _abort(context: Any, code: grpc.StatusCode, message: str) -> NoReturn:
    await context.abort(code, message)
    raise AssertionError("grpc's abort always raises")


def _time_left_s(context: Any) -> float:
    left: float | None = context.time_remaining()
    return DEFAULT_TIMEOUT_S if left is None else left


class GrpcBackend:
    """A searcher or broker at `address` (host:port). Connects lazily, and again after every failure.

    `certificates`: with renewed ones it connects anew, and lets calls under way end; None: open. `tracer`: calls of
    traced requests are spans; None: nothing is traced.
    """

    def __init__(self, address: str, certificates: Certificates | None = None, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self._address = address
        self._certificates = certificates
        self._version = -1
        self._closing: set[asyncio.Task[None]] = set()
        self._connect()

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        return await self._call(lambda stub: stub.Search, request, timeout_s)

    async def product(self, request: ProductRequest, timeout_s: float) -> ProductResponse:
        return await self._call(lambda stub: stub.Product, request, timeout_s)

    async def details(self, request: DetailsRequest, timeout_s: float) -> DetailsResponse:
        return await self._call(lambda stub: stub.Details, request, timeout_s)

    async def status(self, timeout_s: float, request: StatusRequest | None = None) -> StatusResponse:
        return await self._call(lambda stub: stub.Status, request or StatusRequest(), timeout_s)

    async def close(self) -> None:
        for task in self._closing:
            task.cancel()
        await self._channel.close(None)

    def _connect(self) -> None:
        held = self._certificates
        if held is None:
            self._channel = grpc.aio.insecure_channel(self._address, options=_CHANNEL_OPTIONS)
        else:
            self._version = held.version
            self._channel = grpc.aio.secure_channel(self._address, held.for_client(), options=_CHANNEL_OPTIONS)
        self._stub: Any = SearchStub(self._channel)  # type: ignore[no-untyped-call]

    async def _call(
        self, method: Callable[[Any], Callable[..., Awaitable[_Response]]], request: _Request, timeout_s: float
    ) -> _Response:
        if self._certificates is not None and self._certificates.version != self._version:
            task = asyncio.create_task(self._channel.close(LET_END_S))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._connect()
        try:
            if self._tracer is not None:
                return await traced_call(self._tracer, self._address, method(self._stub), request, timeout_s)
            return await method(self._stub)(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise _error_of(error, self._address) from error


def _error_of(error: grpc.aio.AioRpcError, address: str) -> RejectedError | TransientError:
    """The error that the other end raised, or what the connection's failure means."""
    text = error.details() or ""
    reason, colon, detail = text.partition(": ")
    named = bool(colon) and reason.isidentifier()
    match error.code():
        case grpc.StatusCode.FAILED_PRECONDITION | grpc.StatusCode.INVALID_ARGUMENT if named:
            return RejectedError(reason, detail)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return TransientError(OVERDUE, f"{address} did not answer in time")
        case grpc.StatusCode.UNAVAILABLE if named and reason in (NOT_READY, UNREACHABLE):
            return TransientError(reason, detail)
        case grpc.StatusCode.UNAVAILABLE:
            return TransientError(UNREACHABLE, f"{address}: {text}")
        case code:
            return TransientError("internal", f"{address} failed with {code.name}: {text}")


async def start_server(
    backend: SearchBackend,
    host: str,
    port: int,
    credentials: grpc.ServerCredentials | None = None,
    tracer: Tracer | None = None,
) -> tuple[grpc.aio.Server, int]:
    """Serves `backend`; returns the running server and its port (chosen by the system when `port` is 0).

    With `credentials` it answers only clients whose certificate they accept; with `tracer` calls that are traced
    are spans.
    Raises `OperatorError` when the port is taken.
    """
    server = grpc.aio.server(options=_SERVER_OPTIONS)
    servicer: SearchServicer = BackendServicer(backend)
    if tracer is not None:
        servicer = TracedServicer(servicer, tracer)
    add_SearchServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    try:
        address = f"{host}:{port}"
        bound = (
            server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
        )
    except RuntimeError as error:
        raise OperatorError(
            f"port {port} on {host} cannot be bound ({error}); stop what listens there or set VITRINE_GRPC_PORT"
        ) from error
    await server.start()
    return server, bound


async def serve_until(server: grpc.aio.Server, stop: asyncio.Event, grace_s: float = 2.0) -> None:
    """Serves until `stop` is set, then lets the calls under way end within `grace_s`."""
    await stop.wait()
    await server.stop(grace_s)
