"""How routes are documented: answers are msgspec structs, encoded by hand, so OpenAPI is told about them."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import Response

from serving.blender.http.errors import JSON_HEADERS
from serving.blender.showing.answers import ErrorAnswer

REF = "#/components/schemas/{name}"
_encode = msgspec.json.Encoder().encode


def in_json(answer: msgspec.Struct, status: int = 200) -> Response:
    """The answer as JSON, which no cache keeps."""
    return Response(_encode(answer), status, JSON_HEADERS, "application/json")


def refers_to(struct: type) -> dict[str, Any]:
    """The struct's schema, which the document has among its components."""
    return {"$ref": REF.format(name=struct.__name__)}


def request_body(content: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What a route takes, by media type."""
    schemas = {media_type: {"schema": schema} for media_type, schema in content.items()}
    return {"requestBody": {"required": True, "content": schemas}}


def documented(answer: type, *more_statuses: int, status: int = 200) -> dict[str, Any]:
    """Arguments of a route that answers with this struct; `more_statuses`: with which it says that it is not ready."""
    answers: dict[int | str, dict[str, Any]] = {status: {"description": "Answer", **_content(answer)}}
    for other in more_statuses:
        answers[other] = {"description": "Not yet", **_content(answer)}
    return {"responses": {**answers, **_errors()}, "response_class": Response, "response_model": None}


def documented_picture() -> dict[str, Any]:
    """Arguments of a route that answers with a picture."""
    content: dict[str, Any] = {f"image/{kind}": {} for kind in ("jpeg", "png", "webp", "gif")}
    return {"responses": {200: {"content": content}, **_errors()}, "response_class": Response}


def _content(answer: type) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": refers_to(answer)}}}


def _errors() -> dict[int | str, dict[str, Any]]:
    return {
        "4XX": {"description": "Not usable as it is", **_content(ErrorAnswer)},
        "5XX": {"description": "Try again later", **_content(ErrorAnswer)},
    }
