"""The route that takes clicks."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Request, Response
from msgspec import Meta

from schemas.errors import RejectedError
from schemas.events.event import MAX_PRODUCT_ID_BYTES
from serving.blender.http.documentation.documented import documented, in_json, refers_to, request_body
from serving.blender.http.routes.direct import DirectRoute
from serving.blender.http.uploads import Uploads
from serving.blender.showing.answers import ClickAsked, ClicksAccepted
from serving.blender.writing.clicks import Clicks

MAX_CLICKS = 100
"""Of one call."""
MAX_BODY_BYTES = 512 * 1024
"""Room for as many clicks, their ids escaped to the last character."""

_decoder = msgspec.json.Decoder(ClickAsked | Annotated[list[ClickAsked], Meta(min_length=1, max_length=MAX_CLICKS)])


def add_clicks(app: FastAPI, clicks: Clicks | None, uploads: Uploads) -> None:
    """POST /v1/clicks. None: the search log is off, and the route says so."""

    async def click(request: Request) -> Response:
        """What shoppers did with the products that answers had shown: one of them, or a list; 202 once it is logged."""
        if clicks is None:
            raise RejectedError(
                "search_log_off",
                "this Vitrine keeps no clicks; its operator may: VITRINE_SEARCH_LOG=true, vitrine start, and a "
                "restart of the blender",
            )
        async with uploads.json(request, MAX_BODY_BYTES) as body:
            asked = read_clicks(body)
        # Not for as long as the client is connected: a browser sends a click while it leaves the page.
        return in_json(await clicks.note(asked), 202)

    app.router.add_api_route(
        "/v1/clicks",
        click,
        methods=["POST"],
        route_class_override=DirectRoute,
        openapi_extra=request_body({"application/json": _FORM}),
        **documented(ClicksAccepted, status=202),
    )


def read_clicks(body: bytes) -> list[ClickAsked]:
    """One click, or a list. Raises `RejectedError`: `malformed_body` (no JSON), or `invalid_click` with the field."""
    try:
        asked = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RejectedError(
            "invalid_click", f'{error}; send {{"search_id": ..., "product_id": ..., "position": 1}}, or such a list'
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedError("malformed_body", f"not JSON: {error}") from error
    found = asked if isinstance(asked, list) else [asked]
    for number, click in enumerate(found):
        if len(click.product_id.encode(errors="replace")) > MAX_PRODUCT_ID_BYTES:
            where = f"$[{number}].product_id" if isinstance(asked, list) else "$.product_id"
            raise RejectedError("invalid_click", f"ids have up to {MAX_PRODUCT_ID_BYTES} bytes - at `{where}`")
    return found


_FORM: dict[str, Any] = {
    "oneOf": [
        refers_to(ClickAsked),
        {"type": "array", "minItems": 1, "maxItems": MAX_CLICKS, "items": refers_to(ClickAsked)},
    ]
}
