"""The blender behind a real uvicorn, over searchers in the same process."""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexing.look.tuning import Tuning
from schemas.full_index.generation import LIVE
from schemas.query.fields import Fields
from schemas.query.rank import RankProfile
from serving.backend import SearchBackend
from serving.blender.asking.merging import Merging
from serving.blender.embedding.encoders import MOST_WAITING, Encoders, Load
from serving.blender.embedding.items import PhotoItems
from serving.blender.embedding.meanings import Meanings
from serving.blender.http.api import create_app
from serving.blender.http.connection.protocol import HttpLimits
from serving.blender.http.connection.server import http_server
from serving.blender.http.front_door import AllowedHosts
from serving.blender.http.keys import KeyRing
from serving.blender.http.uploads import Uploads
from serving.blender.metrics import BlenderMetrics
from serving.blender.publication import Publication
from serving.blender.ranking.models import LearnedRanks
from serving.blender.reports import Reports
from serving.blender.service import SEARCH_TIMEOUT_S, BlenderService
from serving.blender.showing.examples import Examples
from serving.blender.showing.pictures import Pictures
from serving.blender.writing.clicks import Clicks
from serving.blender.writing.erasures import Erasures
from serving.blender.writing.search_log import SearchLog
from serving.broker.service import BrokerService
from serving.local import LocalBackend
from serving.searcher.service import SearcherService
from tests.support.serving.broker_world import broker_over
from tests.support.serving.world import DIMENSION, EXTRACTOR, direction
from vision.fetching.fetch import fetch
from vision.fetching.policy import FetchPolicy
from vision.pictures.decode import ImageLimits, checked_header, decode_image

QUERY_MAX_BYTES = 200_000
LIMITS = ImageLimits(max_bytes=QUERY_MAX_BYTES, max_pixels=1_000_000)


class GreyEmbedder:
    """The smallest encoder there is: the brightness of 4 x 4 fields. Bytes are decoded by `vision`, as always."""

    tuning: Tuning | None = None

    def weigh(self, data: bytes) -> int:
        return checked_header(data, LIMITS).cost

    def prepare(self, data: bytes) -> NDArray[np.uint8]:
        image = decode_image(data, LIMITS)
        return np.asarray(image.convert("L").resize((4, 4), Image.Resampling.BOX), dtype=np.uint8)

    def embed(self, inputs: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        rows = np.stack(inputs).reshape(len(inputs), DIMENSION).astype(np.float32) + 1.0
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def picture(seed: int, side: int = 32, kind: str = "PNG") -> bytes:
    """A picture of 4 x 4 grey fields, another one for every seed."""
    fields = np.random.default_rng(seed).integers(0, 256, (4, 4), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(fields).resize((side, side), Image.Resampling.NEAREST).convert("RGB").save(file, kind)
    return file.getvalue()


def picture_vector(seed: int) -> NDArray[np.float32]:
    embedder = GreyEmbedder()
    return embedder.embed([embedder.prepare(picture(seed))])[0]


@asynccontextmanager
async def serving(
    backend: SearchBackend,
    *,
    load: Load = lambda _extractor_id, _generation: GreyEmbedder(),
    metrics: BlenderMetrics | None = None,
    allowed_folder: Path | None = None,
    generations: Path | None = None,
    page: Path | None = None,
    examples: Examples | None = None,
    hosts: AllowedHosts | None = None,
    keys: KeyRing | None = None,
    erasures: Erasures | None = None,
    tls: ssl.SSLContext | None = None,
    limits: HttpLimits | None = None,
    uploads: Uploads | None = None,
    search_timeout_s: float = SEARCH_TIMEOUT_S,
    most_waiting: int = MOST_WAITING,
    fields: Fields | None = None,
    profiles: Mapping[str, RankProfile] | None = None,
    search_log: SearchLog | None = None,
    clicks: Clicks | None = None,
    reports: Reports | None = None,
    meanings: Meanings | None = None,
    ranks: LearnedRanks | None = None,
    merging: Merging | None = None,
    extractor_id: str = EXTRACTOR,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a blender over `backend`, which it closes in the end; it begins with `extractor_id`.

    Where the server has `limits`, which may be short, the client keeps no connection: one that the server gives up
    at the very moment of the next request fails it, which is nobody's fault.
    """
    metrics = metrics or BlenderMetrics()
    publication = None if generations is None else Publication(generations)
    encoders = Encoders(extractor_id, LIVE, load, metrics, most_waiting=most_waiting)
    service = BlenderService(
        backend,
        encoders,
        metrics,
        publication,
        look_s=0.02,
        search_timeout_s=search_timeout_s,
        fields=fields,
        profiles=profiles,
        search_log=search_log,
        meanings=meanings,
        ranks=ranks,
        items=PhotoItems(LIMITS, most_waiting=most_waiting),
        merging=merging,
    )
    policy = FetchPolicy(allowed_schemes=("file",), allowed_folders=(str(allowed_folder),) if allowed_folder else ())
    pictures = Pictures(lambda url: fetch(url, policy))
    app = create_app(
        service,
        pictures,
        uploads or Uploads(QUERY_MAX_BYTES),
        page=page or Path("/nonexistent"),
        examples=examples,
        hosts=hosts,
        keys=keys,
        erasures=erasures,
        clicks=clicks,
        reports=reports,
    )
    server = http_server(app, limits, tls, metrics)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            base = f"{'http' if tls is None else 'https'}://127.0.0.1:{listener.getsockname()[1]}"
            kept = httpx.Limits(max_keepalive_connections=None if limits is None else 0)
            async with httpx.AsyncClient(base_url=base, timeout=30, verify=False, limits=kept) as client:
                client.app = app  # type: ignore[attr-defined]
                yield client
        finally:
            server.should_exit = True
            await running


def over(*searchers: SearcherService) -> BrokerService:
    """A broker over one searcher per shard, all in this process."""
    return broker_over([[LocalBackend(searcher)] for searcher in searchers])


async def ready(client: httpx.AsyncClient) -> None:
    """Waits until the model is loaded."""
    while (await client.get("/readyz")).status_code != 200:
        await asyncio.sleep(0.01)


async def post_vector(client: httpx.AsyncClient, seed: int = 1, **body: object) -> httpx.Response:
    return await client.post("/v1/search/vector", json={"vector": direction(seed).tolist(), **body})


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [result["product_id"] for result in answer.json()["results"]]


def error(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert body.keys() == {"error"}
    assert body["error"]["detail"]
    return answer.status_code, body["error"]["reason"]
