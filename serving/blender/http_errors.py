"""The one place where errors become HTTP answers: always {"error": {"reason": ..., "detail": ...}}."""

from __future__ import annotations

import logging
from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from schemas.errors import RejectedError, TransientError
from serving.backend import EXTRACTOR_MISMATCH, OVERDUE, UNKNOWN_GENERATION
from serving.blender.answers import ErrorAnswer, ErrorBody

log = logging.getLogger(__name__)

_STATUS_OF_REJECTION = {
    "malformed_body": 400,
    "field_missing": 400,
    "image_empty": 400,
    "url_invalid": 400,
    "url_scheme": 400,
    "folder_not_allowed": 403,
    "host_not_allowed": 403,
    "not_found": 404,
    "image_missing": 404,
    UNKNOWN_GENERATION: 404,
    EXTRACTOR_MISMATCH: 409,
    "too_large": 413,
    "image_too_large": 413,
    "image_too_many_pixels": 413,
    "media_type": 415,
    "image_format": 415,
}
"""Every other rejection (a broken image, a vector of another dimension, ...) is 422: understood, not usable."""


_DISCARDED_BYTES = 64_000_000


def error_response(status: int, reason: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = msgspec.json.encode(ErrorAnswer(ErrorBody(reason, detail)))
    return Response(body, status, headers, "application/json")


def _ends_soon(request: Request) -> bool:
    """Whether the rest of a body is short enough to be read and thrown away.

    Closing at once makes many clients report a reset connection instead of the answer.
    """
    announced = request.headers.get("content-length", "")
    return announced.isdecimal() and int(announced) <= _DISCARDED_BYTES


def add_error_handlers(app: FastAPI) -> None:
    """Makes every error of `app` an `ErrorAnswer`."""

    @app.exception_handler(RejectedError)
    async def rejected(request: Request, error: RejectedError) -> Response:
        status = _STATUS_OF_REJECTION.get(error.reason, 422)
        headers = {"Connection": "close"} if status == 413 and not _ends_soon(request) else None
        return error_response(status, error.reason, error.detail, headers)

    @app.exception_handler(TransientError)
    async def transient(_request: Request, error: TransientError) -> Response:
        status = 504 if error.reason == OVERDUE else 503
        return error_response(status, error.reason, error.detail, {"Retry-After": "1"})

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()
        )
        return error_response(422, "invalid_request", f"{problems}; see /docs")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        phrase = HTTPStatus(error.status_code).phrase
        return error_response(
            error.status_code,
            phrase.lower().replace(" ", "_"),
            f"{request.method} {request.url.path}: {phrase}; see /docs for what there is",
            dict(error.headers or {}),
        )

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return error_response(400, "client_gone", "the client went away while it was sending")

    @app.exception_handler(Exception)
    async def internal(request: Request, error: Exception) -> Response:
        # Starlette raises it again for the server, which logs the traceback.
        log.error("event=internal_error method=%s path=%s", request.method, request.url.path)
        return error_response(500, "internal", f"{type(error).__name__}; the blender's log has the details")
