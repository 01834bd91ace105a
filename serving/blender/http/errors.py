"""The one place where errors become HTTP answers: always {"error": {"reason": ..., "detail": ...}}."""

from __future__ import annotations

import logging
from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from schemas.errors import RejectedError, TransientError
from serving.backend import EXTRACTOR_MISMATCH, OVERDUE, UNKNOWN_GENERATION
from serving.blender.http.allowance import TooManyError
from serving.blender.showing.answers import ErrorAnswer, ErrorBody

log = logging.getLogger(__name__)

_STATUS_OF_REJECTION = {
    "malformed_body": 400,
    "field_missing": 400,
    "image_empty": 400,
    "url_invalid": 400,
    "url_scheme": 400,
    "folder_not_allowed": 403,
    "bucket_not_allowed": 403,
    "host_not_allowed": 403,
    "erasing_needs_keys": 403,
    "not_found": 404,
    "image_missing": 404,
    "search_log_off": 404,
    UNKNOWN_GENERATION: 404,
    EXTRACTOR_MISMATCH: 409,
    "too_large": 413,
    "image_too_large": 413,
    "image_too_many_pixels": 413,
    "media_type": 415,
    "image_format": 415,
}
"""Every other rejection (a broken image, a vector of another dimension, ...) is 422: understood, not usable."""


JSON_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""What an answer says was so at that moment: no cache keeps it."""
_DISCARDED_BYTES = 64_000_000


def error_response(status: int, reason: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = msgspec.json.encode(ErrorAnswer(ErrorBody(reason, detail)))
    return Response(body, status, {**(headers or {}), **JSON_HEADERS}, "application/json")


async def refuse(
    scope: Scope, receive: Receive, send: Send, status: int, reason: str, detail: str, **headers: str
) -> None:
    """Answers for a middleware, before the application has seen the request. `headers`: `retry_after="1"`, ..."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if not _ends_soon(Headers(scope=scope)):
        named["connection"] = "close"
    await error_response(status, reason, detail, named)(scope, receive, send)


def _ends_soon(headers: Headers) -> bool:
    """Whether the rest of a body is short enough to be read and thrown away.

    Closing at once makes many clients report a reset connection instead of the answer.
    """
    announced = headers.get("content-length", "" if "transfer-encoding" in headers else "0")
    return announced.isdecimal() and int(announced) <= _DISCARDED_BYTES


def allowed_methods(app: FastAPI, path: str) -> set[str]:
    """Methods of every route that there is for `path`; a HEAD goes wherever a GET does. Empty: there is no route."""
    found: set[str] = set()
    for route in app.routes:
        if isinstance(route, Route) and route.path_regex.match(path):
            found |= route.methods or set()
    return found | {"HEAD"} if "GET" in found else found


def add_error_handlers(app: FastAPI) -> None:
    """Makes every error of `app` an `ErrorAnswer`."""

    @app.exception_handler(RejectedError)
    async def rejected(request: Request, error: RejectedError) -> Response:
        status = _STATUS_OF_REJECTION.get(error.reason, 422)
        headers = {"Connection": "close"} if status == 413 and not _ends_soon(request.headers) else None
        return error_response(status, error.reason, error.detail, headers)

    @app.exception_handler(TransientError)
    async def transient(_request: Request, error: TransientError) -> Response:
        status = 504 if error.reason == OVERDUE else 503
        return error_response(status, error.reason, error.detail, {"Retry-After": "1"})

    @app.exception_handler(TooManyError)
    async def too_many(request: Request, error: TooManyError) -> Response:
        headers = {"Retry-After": str(error.retry_after_s)}
        if not _ends_soon(request.headers):
            headers["Connection"] = "close"
        return error_response(429, "too_many_requests", str(error), headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()
        )
        return error_response(422, "invalid_request", f"{problems}; see /docs")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        status, headers = error.status_code, dict(error.headers or {})
        if status in (404, 405):
            # The page, mounted at /, answers for whatever no route answers for: also a known path's wrong method.
            methods = allowed_methods(app, request.url.path)
            if methods and request.method not in methods:
                status = 405
            if status == 405:
                headers["Allow"] = ", ".join(sorted(methods or {"GET", "HEAD"}))
        phrase = HTTPStatus(status).phrase
        return error_response(
            status,
            phrase.lower().replace(" ", "_"),
            f"{request.method} {request.url.path}: {phrase}; see /docs for what there is",
            headers,
        )

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return error_response(400, "client_gone", "the client went away while it was sending")

    @app.exception_handler(Exception)
    async def internal(request: Request, error: Exception) -> Response:
        # Starlette raises it again for the server, which logs the traceback.
        log.error("event=internal_error method=%s path=%s", request.method, request.url.path)
        return error_response(500, "internal", f"{type(error).__name__}; the blender's log has the details")
