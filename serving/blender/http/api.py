"""HTTP: the routes, their documentation, and the mount of the page."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Header, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.openapi.utils import get_openapi
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import RejectedError
from schemas.product_event import MAX_PRODUCT_ID_BYTES, MAX_URL_BYTES
from serving.blender.answers import ErasureAccepted, ErrorAnswer, IndexStatus, ProductReceipt, Readiness, SearchAnswer
from serving.blender.erasures import Erasures
from serving.blender.examples import Examples, ExamplesAnswer
from serving.blender.http.direct import DirectRoute
from serving.blender.http.docs_page import HEADERS, docs_page
from serving.blender.http.errors import JSON_HEADERS, add_error_handlers
from serving.blender.http.front_door import AllowedHosts, FrontDoor
from serving.blender.http.keys import KeyCheck, KeyRing
from serving.blender.http.leaving import while_connected
from serving.blender.http.page_files import PageFiles
from serving.blender.http.product_path import PRODUCT
from serving.blender.http.uploads import DEFAULT_LIMIT, MAX_LIMIT, Uploads, VectorQuery
from serving.blender.metrics import BlenderMetrics
from serving.blender.pictures import Pictures
from serving.blender.service import BlenderService

PAGE_FOLDER = Path(__file__).parents[1] / "page"

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Products wanted, at most.")]
Generation = Annotated[
    str, Query(max_length=64, description="A full index by name, of those in /v1/index; without: the one that serves.")
]
IfNoneMatch = Annotated[str | None, Header()]
ProductId = Annotated[str, PathParameter(min_length=1, max_length=MAX_PRODUCT_ID_BYTES)]

_REF = "#/components/schemas/{name}"
_ANSWERS = (
    SearchAnswer,
    ProductReceipt,
    ErasureAccepted,
    IndexStatus,
    Readiness,
    ErrorAnswer,
    VectorQuery,
    ExamplesAnswer,
)
_encode = msgspec.json.Encoder().encode


def create_app(
    service: BlenderService,
    pictures: Pictures,
    uploads: Uploads,
    registries: tuple[CollectorRegistry, ...] = (),
    page: Path = PAGE_FOLDER,
    examples: Examples | None = None,
    hosts: AllowedHosts | None = None,
    keys: KeyRing | None = None,
    erasures: Erasures | None = None,
) -> FastAPI:
    """The application; it starts `service` and closes it. `registries`: shown at /metrics beside the service's own.

    `page`: folder of the page; `examples`: the photos it offers to try; `hosts`: by default numeric ones and localhost;
    `keys`: those that open its routes, None: all are open; `erasures`: without them there is no route to erase by.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        pictures.close()
        await service.close()

    app = FastAPI(
        title="Vitrine",
        version="1",
        lifespan=lifespan,
        summary="Find products by a photo.",
        docs_url=None,  # Swagger's page loads its scripts from elsewhere
        redoc_url=None,
    )
    add_error_handlers(app)
    if keys is not None:
        app.add_middleware(KeyCheck, routes=app, ring=keys)
    app.add_middleware(FrontDoor, hosts=hosts or AllowedHosts())
    app.add_middleware(_Measured, metrics=service.metrics)
    _add_search(app, service, uploads)
    _add_products(app, service, pictures)
    if erasures is not None:
        _add_erasure(app, erasures)
    _add_examples(app, examples, pictures)
    _add_operation(app, service, registries)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    if page.is_dir():
        app.mount("/", PageFiles(page), name="page")
    return app


def _add_search(app: FastAPI, service: BlenderService, uploads: Uploads) -> None:
    async def search_image(request: Request, limit: Limit = DEFAULT_LIMIT, generation: Generation = "") -> Response:
        """Products that look like a photo (JPEG, PNG, WebP, GIF)."""
        async with uploads.photo(request) as data:
            return _json(await while_connected(request, service.search_image(data, limit, generation)))

    async def search_vector(request: Request, limit: Limit = DEFAULT_LIMIT, generation: Generation = "") -> Response:
        """Products near a vector of the index's extractor. The query parameter `limit` counts for the raw form only."""
        async with uploads.vector(request, limit) as (vector, wanted):
            return _json(await while_connected(request, service.search_vector(vector, wanted, generation)))

    for path, function, content in (
        ("/v1/search/image", search_image, {"multipart/form-data": _PHOTO_FORM}),
        ("/v1/search/vector", search_vector, _VECTOR_FORMS),
    ):
        app.router.add_api_route(
            path,
            function,
            methods=["POST"],
            route_class_override=DirectRoute,
            openapi_extra=_body(content),
            **_documented(SearchAnswer),
        )


def _add_products(app: FastAPI, service: BlenderService, pictures: Pictures) -> None:
    @app.get(f"{PRODUCT}/similar", **_documented(SearchAnswer))
    async def similar(
        request: Request, product_id: ProductId, limit: Limit = DEFAULT_LIMIT, generation: Generation = ""
    ) -> Response:
        """Products that look like this one; itself is left out. 404 when it is not searchable."""
        return _json(await while_connected(request, service.similar(product_id, limit, generation)))

    @app.get(f"{PRODUCT}/status", **_documented(ProductReceipt))
    async def status(product_id: ProductId) -> Response:
        """The takedown receipt: what every replica shows of this product."""
        return _json(await service.receipt(product_id))

    @app.get(
        "/v1/picture",
        **_documented_picture(),
    )
    async def picture(
        product: Annotated[str, Query(min_length=1, max_length=MAX_PRODUCT_ID_BYTES, description="Whose picture.")],
        url: Annotated[str, Query(min_length=1, max_length=MAX_URL_BYTES, description="Its file URL.")],
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """A listed product's picture that lies in a file, for browsers, which open no file URLs. Else 404."""
        if not await service.shows(product, url):
            raise RejectedError("not_found", "no listed product of that id has this picture")
        return await pictures.answer(url, if_none_match)


def _add_erasure(app: FastAPI, erasures: Erasures) -> None:
    @app.post(f"{PRODUCT}/erase", status_code=202, **_documented(ErasureAccepted, status=202))
    async def erase(product_id: ProductId) -> Response:
        """Removes a product for good, by an event in the log; 202 once it is there. Needs a key of the role erase."""
        return _json(await erasures.erase(product_id), 202)


def _add_examples(app: FastAPI, examples: Examples | None, pictures: Pictures) -> None:
    @app.get("/v1/examples", **_documented(ExamplesAnswer))
    async def list_examples() -> Response:
        """Photos to try the search with: those of the sample catalogue; none where there is no sample."""
        return _json(ExamplesAnswer([]) if examples is None else await examples.all())

    @app.get("/v1/examples/{number}/photo", **_documented_picture())
    async def example_photo(number: int, if_none_match: IfNoneMatch = None) -> Response:
        """The photo of one of them, by its place in the list."""
        if examples is None:
            raise RejectedError("not_found", "there is no sample catalogue here, so there are no examples")
        return await pictures.answer(await examples.file_url(number), if_none_match)


def _add_operation(app: FastAPI, service: BlenderService, registries: tuple[CollectorRegistry, ...]) -> None:
    @app.get("/v1/index", **_documented(IndexStatus))
    async def index() -> Response:
        """Counts, digest, watermark and position of every searcher."""
        return _json(await service.index())

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """This process answers."""
        return {"status": "ok"}

    @app.get("/readyz", **_documented(Readiness, 503))
    async def readyz() -> Response:
        """200 when photos can be searched for in every shard; 503 names what is waited for."""
        readiness = await service.readiness()
        return _json(readiness, 200 if readiness.ready else 503)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(docs_page(app.openapi()), media_type="text/html", headers=HEADERS)

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Prometheus metrics."""
        texts = [generate_latest(registry) for registry in (service.metrics.registry, *registries)]
        return Response(b"".join(texts), media_type=CONTENT_TYPE_LATEST)


def _json(answer: msgspec.Struct, status: int = 200) -> Response:
    return Response(_encode(answer), status, JSON_HEADERS, "application/json")


_PHOTO_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["image"],
    "properties": {"image": {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP or GIF"}},
}


_VECTOR_FORMS: dict[str, dict[str, Any]] = {
    "application/json": {"$ref": _REF.format(name="VectorQuery")},
    "application/octet-stream": {"type": "string", "format": "binary", "description": "float32, LE"},
}


def _body(content: dict[str, dict[str, Any]]) -> dict[str, Any]:
    schemas = {media_type: {"schema": schema} for media_type, schema in content.items()}
    return {"requestBody": {"required": True, "content": schemas}}


def _refers_to(answer: type) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": _REF.format(name=answer.__name__)}}}}


def _errors() -> dict[int | str, dict[str, Any]]:
    return {"4XX": {"description": "Not usable as it is", **_refers_to(ErrorAnswer)},
            "5XX": {"description": "Try again later", **_refers_to(ErrorAnswer)}}  # fmt: skip


def _documented(answer: type, *more_statuses: int, status: int = 200) -> dict[str, Any]:
    """Arguments of a route: the answers are msgspec structs, encoded by hand, so OpenAPI is told about them."""
    documented: dict[int | str, dict[str, Any]] = {status: {"description": "Answer", **_refers_to(answer)}}
    for other in more_statuses:
        documented[other] = {"description": "Not yet", **_refers_to(answer)}
    return {"responses": {**documented, **_errors()}, "response_class": Response, "response_model": None}


def _documented_picture() -> dict[str, Any]:
    content: dict[str, Any] = {f"image/{kind}": {} for kind in ("jpeg", "png", "webp", "gif")}
    return {"responses": {200: {"content": content}, **_errors()}, "response_class": Response}


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        _, components = msgspec.json.schema_components(_ANSWERS, ref_template=_REF)
        document.setdefault("components", {}).setdefault("schemas", {}).update(components)
        app.openapi_schema = document
    return app.openapi_schema


class _Measured:
    """Counts and times requests by route (never by path: ids would make a series each). Plain ASGI, for speed."""

    def __init__(self, app: ASGIApp, metrics: BlenderMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "") or "page"
            self._metrics.requests.labels(scope["method"], route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(time.perf_counter() - began)
