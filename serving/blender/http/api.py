"""HTTP: the routes, their documentation, and the mount of the page."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Header, Query, Response
from fastapi.openapi.utils import get_openapi
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import RejectedError
from schemas.events.event import MAX_PRODUCT_ID_BYTES, MAX_URL_BYTES
from schemas.query.body import QuestionBody
from serving.blender.http.documentation.docs_page import HEADERS, docs_page
from serving.blender.http.documentation.documented import REF, documented, documented_picture, in_json
from serving.blender.http.errors import add_error_handlers
from serving.blender.http.front_door import AllowedHosts, FrontDoor
from serving.blender.http.keys import KeyCheck, KeyRing
from serving.blender.http.routes.asking import ProductId, add_search
from serving.blender.http.routes.clicking import add_clicks
from serving.blender.http.routes.page_files import PageFiles
from serving.blender.http.routes.product_path import PRODUCT
from serving.blender.http.routes.reporting import add_report
from serving.blender.http.uploads import Uploads, VectorQuery
from serving.blender.metrics import BlenderMetrics
from serving.blender.reports import Reports
from serving.blender.service import BlenderService
from serving.blender.showing.answers import (
    BatchAnswer,
    ClickAsked,
    ClicksAccepted,
    ErasureAccepted,
    ErrorAnswer,
    ReportAnswer,
    SearchAnswer,
    Suggestions,
)
from serving.blender.showing.examples import Examples, ExamplesAnswer
from serving.blender.showing.of_index import IndexStatus, ProductReceipt, Readiness
from serving.blender.showing.pictures import Pictures
from serving.blender.writing.clicks import Clicks
from serving.blender.writing.erasures import Erasures

PAGE_FOLDER = Path(__file__).parents[1] / "page"

IfNoneMatch = Annotated[str | None, Header()]

_ANSWERS = (
    QuestionBody,
    SearchAnswer,
    BatchAnswer,
    Suggestions,
    ClickAsked,
    ClicksAccepted,
    ReportAnswer,
    ProductReceipt,
    ErasureAccepted,
    IndexStatus,
    Readiness,
    ErrorAnswer,
    VectorQuery,
    ExamplesAnswer,
)


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
    clicks: Clicks | None = None,
    reports: Reports | None = None,
) -> FastAPI:
    """The application; it starts `service` and closes it. `registries`: shown at /metrics beside the service's own.

    `page`: folder of the page; `examples`: the photos it offers to try; `hosts`: by default numeric ones and localhost;
    `keys`: those that open its routes, None: all are open; `erasures`: without them there is no route to erase by;
    `clicks`, `reports`: None where the search log is off, which their routes then say.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        pictures.close()
        if reports is not None:
            await reports.close()
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
    add_search(app, service, uploads)
    add_clicks(app, clicks, uploads)
    add_report(app, reports)
    _add_products(app, service, pictures)
    if erasures is not None:
        _add_erasure(app, erasures)
    _add_examples(app, examples, pictures)
    _add_operation(app, service, registries)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    if page.is_dir():
        app.mount("/", PageFiles(page), name="page")
    return app


def _add_products(app: FastAPI, service: BlenderService, pictures: Pictures) -> None:
    @app.get(f"{PRODUCT}/status", **documented(ProductReceipt))
    async def status(product_id: ProductId) -> Response:
        """The takedown receipt: what every replica shows of this product."""
        return in_json(await service.receipt(product_id))

    @app.get(
        "/v1/picture",
        **documented_picture(),
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
    @app.post(f"{PRODUCT}/erase", status_code=202, **documented(ErasureAccepted, status=202))
    async def erase(product_id: ProductId) -> Response:
        """Removes a product for good, by an event in the log; 202 once it is there. Needs a key of the role erase."""
        return in_json(await erasures.erase(product_id), 202)


def _add_examples(app: FastAPI, examples: Examples | None, pictures: Pictures) -> None:
    @app.get("/v1/examples", **documented(ExamplesAnswer))
    async def list_examples() -> Response:
        """Photos to try the search with: those of the sample catalogue; none where there is no sample."""
        return in_json(ExamplesAnswer([]) if examples is None else await examples.all())

    @app.get("/v1/examples/{number}/photo", **documented_picture())
    async def example_photo(number: int, if_none_match: IfNoneMatch = None) -> Response:
        """The photo of one of them, by its place in the list."""
        if examples is None:
            raise RejectedError("not_found", "there is no sample catalogue here, so there are no examples")
        return await pictures.answer(await examples.file_url(number), if_none_match)


def _add_operation(app: FastAPI, service: BlenderService, registries: tuple[CollectorRegistry, ...]) -> None:
    @app.get("/v1/index", **documented(IndexStatus))
    async def index() -> Response:
        """Counts, digest, watermark and position of every searcher."""
        return in_json(await service.following.index())

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """This process answers."""
        return {"status": "ok"}

    @app.get("/readyz", **documented(Readiness, 503))
    async def readyz() -> Response:
        """200 when photos can be searched for in every shard; 503 names what is waited for."""
        readiness = await service.following.readiness()
        return in_json(readiness, 200 if readiness.ready else 503)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(docs_page(app.openapi()), media_type="text/html", headers=HEADERS)

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Prometheus metrics."""
        texts = [generate_latest(registry) for registry in (service.metrics.registry, *registries)]
        return Response(b"".join(texts), media_type=CONTENT_TYPE_LATEST)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        _, components = msgspec.json.schema_components(_ANSWERS, ref_template=REF)
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
