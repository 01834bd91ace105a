"""The routes that search: each reads what it is asked with, and asks the service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi import Path as PathParameter
from msgspec.structs import replace

from schemas.errors import RejectedError, TransientError
from schemas.events.event import MAX_PRODUCT_ID_BYTES
from schemas.query.body import QuestionBody
from schemas.query.box import Box
from schemas.query.parameters import read_photo_parameters
from schemas.query.question import Question, decode_question, question_from_parameters, require_something
from serving.blender.http.connection.leaving import while_connected
from serving.blender.http.documentation.described import (
    BATCH_FORM,
    MAX_QUERIES,
    OF_ITEMS,
    OF_PHOTOS,
    PHOTO_FORM,
    VECTOR_FORMS,
    described,
    parameters_of,
)
from serving.blender.http.documentation.documented import documented, in_json, refers_to, request_body
from serving.blender.http.routes.direct import DirectRoute, plain_options
from serving.blender.http.routes.product_path import PRODUCT
from serving.blender.http.uploads import Uploads
from serving.blender.service import BlenderService
from serving.blender.showing.answers import BatchAnswer, BatchEntry, ErrorBody, SearchAnswer, Suggestions

MAX_SUGGESTIONS = 20

ProductId = Annotated[str, PathParameter(min_length=1, max_length=MAX_PRODUCT_ID_BYTES)]


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/search/batch: questions as POST /v1/search takes them."""

    queries: list[msgspec.Raw]


_batch_decoder = msgspec.json.Decoder(Batch)


def add_search(app: FastAPI, service: BlenderService, uploads: Uploads) -> None:
    """The routes that search, with what they need of the service."""
    routes = _Routes(service, uploads)
    for method, path, function, content in (
        ("POST", "/v1/search", routes.search, {"application/json": refers_to(QuestionBody)}),
        *(("POST", path, routes.image, {"multipart/form-data": PHOTO_FORM}) for path in OF_PHOTOS),
        ("POST", "/v1/search/vector", routes.vector, VECTOR_FORMS),
        ("GET", "/v1/search/text", routes.text, None),
        ("GET", f"{PRODUCT}/similar", routes.similar, None),
    ):
        extra: dict[str, Any] = {"parameters": parameters_of(path)}
        app.router.add_api_route(
            path,
            function,
            methods=[method],
            route_class_override=DirectRoute,
            openapi_extra=extra | (request_body(content) if content else {}),
            **documented(SearchAnswer),
        )
    several: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("/v1/search/batch", routes.batch, request_body({"application/json": BATCH_FORM})),
        (
            OF_ITEMS,
            routes.items,
            {"parameters": parameters_of(OF_ITEMS)} | request_body({"multipart/form-data": PHOTO_FORM}),
        ),
    )
    for path, function, extra in several:
        app.router.add_api_route(
            path,
            function,
            methods=["POST"],
            route_class_override=DirectRoute,
            openapi_extra=extra,
            **documented(BatchAnswer),
        )
    app.router.add_api_route(
        "/v1/suggest",
        routes.suggest,
        methods=["GET"],
        route_class_override=DirectRoute,
        openapi_extra={"parameters": [described(name) for name in ("q", "limit")]},
        **documented(Suggestions),
    )


class _Routes:
    def __init__(self, service: BlenderService, uploads: Uploads) -> None:
        self._service = service
        self._uploads = uploads

    async def search(self, request: Request) -> Response:
        """Any question: photos, words, products and vectors together, filtered, counted and ranked (docs/search.md)."""
        async with self._uploads.json(request) as body:
            question = decode_question(body, self._service.fields, self._service.profiles)
            return await self._answer(request, question)

    async def image(self, request: Request) -> Response:
        """Products that look like a photo (JPEG, PNG, WebP, GIF), or like several; with words, that fit both."""
        plain = self._plain(request)
        asked = None if plain is not None else self._photo_options(request)
        async with self._uploads.photos(request) as (photos, text):
            if plain is not None and len(photos) == 1 and not text:
                limit, generation = plain
                return in_json(await while_connected(request, self._service.search_image(photos[0], limit, generation)))
            question, box = asked or self._photo_options(request)
            if box is not None and len(photos) > 1:
                raise RejectedError(
                    "invalid_question", "box: is of one photo, and there are several; POST /v1/search takes one of each"
                )
            return await self._answer(request, _with_text(question, text), photos=photos, box=box)

    async def items(self, request: Request) -> Response:
        """Every item of one photo, with an answer each, the one that stands out most first; else the whole photo."""
        question = self._options(request)
        async with self._uploads.photos(request) as (photos, text):
            if len(photos) != 1:
                raise RejectedError(
                    "invalid_question", f"image: {len(photos)} photos; send one, POST /v1/search takes several"
                )
            question = _with_text(question, text)
            return in_json(await while_connected(request, self._each_item(question, photos[0])))

    async def _each_item(self, question: Question, photo: bytes) -> BatchAnswer:
        boxes = await self._service.items(photo, question.generation)
        if not boxes:
            return BatchAnswer([BatchEntry(await self._service.ask(question, photos=[photo]))])
        asked = (self._service.ask(question, photos=[photo], box=box) for box in boxes)
        return BatchAnswer(list(await asyncio.gather(*(_entry(each) for each in asked))))

    async def vector(self, request: Request) -> Response:
        """Products near a vector of the index's extractor. In JSON, `limit` stands beside it."""
        plain = self._plain(request)
        question = self._options(request) if plain is None else Question(limit=plain[0], generation=plain[1])
        async with self._uploads.vector(request, question.limit) as (vector, limit):
            if plain is not None:
                return in_json(await while_connected(request, self._service.search_vector(vector, limit, plain[1])))
            return await self._answer(request, replace(question, limit=limit), vector=vector)

    async def text(self, request: Request) -> Response:
        """Products by words; with a filter alone, all that passes it."""
        question = self._options(request)
        require_something(question)
        return await self._answer(request, question)

    async def similar(self, request: Request) -> Response:
        """Products that look like this one; itself is left out. 404 when it is not searchable."""
        product_id = _product_id(request)
        plain = self._plain(request)
        if plain is not None:
            return in_json(await while_connected(request, self._service.similar(product_id, *plain)))
        return await self._answer(request, self._options(request), product_id=product_id)

    async def batch(self, request: Request) -> Response:
        """Up to 64 questions at once; one that cannot be answered says why in its place."""
        async with self._uploads.json(request) as body:
            try:
                queries = _batch_decoder.decode(body).queries
            except msgspec.ValidationError as error:
                raise RejectedError("invalid_question", f'{error}; send {{"queries": [...]}}') from error
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise RejectedError("malformed_body", f"not JSON: {error}") from error
            if not 1 <= len(queries) <= MAX_QUERIES:
                raise RejectedError("invalid_question", f"queries: {len(queries)}; send 1 to {MAX_QUERIES} of them")
            answers = await while_connected(request, self._all([bytes(query) for query in queries]))
            return in_json(BatchAnswer(answers))

    async def _all(self, queries: list[bytes]) -> list[BatchEntry]:
        return list(await asyncio.gather(*(_entry(self._one(query)) for query in queries)))

    async def _one(self, query: bytes) -> SearchAnswer:
        return await self._service.ask(decode_question(query, self._service.fields, self._service.profiles))

    async def suggest(self, request: Request) -> Response:
        """Words that the last word of `q` may become, and names that begin with it, of products on sale."""
        parameters = dict(request.query_params)
        text, limit = parameters.pop("q", ""), parameters.pop("limit", "8")
        if parameters or not limit.isdecimal() or not 1 <= int(limit) <= MAX_SUGGESTIONS or len(text) > 2000:
            raise RejectedError(
                "invalid_question", f"/v1/suggest takes q, a text, and limit, 1 to {MAX_SUGGESTIONS}, and nothing else"
            )
        return in_json(await while_connected(request, self._service.suggest(text, int(limit))))

    async def _answer(self, request: Request, question: Question, **examples: Any) -> Response:
        return in_json(await while_connected(request, self._service.ask(question, **examples)))

    def _plain(self, request: Request) -> tuple[int, str] | None:
        """Limit and generation where nothing else is asked for; None also where doubles are merged all the same."""
        return None if self._service.merging.by_default else plain_options(request)

    def _options(self, request: Request) -> Question:
        return self._question(request.query_params.multi_items())

    def _photo_options(self, request: Request) -> tuple[Question, Box | None]:
        others, box, items = read_photo_parameters(request.query_params.multi_items())
        return replace(self._question(others), items=items), box

    def _question(self, parameters: Sequence[tuple[str, str]]) -> Question:
        return question_from_parameters(parameters, self._service.fields, self._service.profiles)


async def _entry(answer: Awaitable[SearchAnswer]) -> BatchEntry:
    """One that fails does not fail the others."""
    try:
        return BatchEntry(await answer)
    except (RejectedError, TransientError) as error:
        return BatchEntry(error=ErrorBody(error.reason, error.detail))


def _with_text(question: Question, text: str) -> Question:
    """The form's words, where the URL has none."""
    if not text:
        return question
    if question.text:
        raise RejectedError("invalid_question", "text: is in the form and in the URL; leave one of them out")
    if len(text) > 2000:
        raise RejectedError("invalid_question", f"text: {len(text)} characters; send up to 2000")
    return replace(question, text=text)


def _product_id(request: Request) -> str:
    product_id: str = request.path_params["product_id"]
    if not 1 <= len(product_id.encode(errors="replace")) <= MAX_PRODUCT_ID_BYTES:
        raise RejectedError("not_found", f"product ids have 1 to {MAX_PRODUCT_ID_BYTES} bytes")
    return product_id
