"""A blender that keeps the search log, and questions to it by every route."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from serving.blender.metrics import BlenderMetrics
from serving.blender.writing.clicks import Clicks
from serving.blender.writing.search_log import SearchLog
from tests.support.serving.http_world import over, picture, ready, serving
from tests.support.serving.shop import FIELDS, PROFILES, shop
from tests.support.serving.world import direction


@asynccontextmanager
async def logging_blender(kafka: str, *, words: bool = True, wait_s: float = 30.0) -> AsyncIterator[httpx.AsyncClient]:
    metrics = BlenderMetrics()
    search_log = SearchLog(kafka, metrics, words=words, wait_s=wait_s)
    clicks = Clicks(kafka, metrics, timeout_s=min(5.0, wait_s))
    async with serving(
        over(*shop()), fields=FIELDS, profiles=PROFILES, metrics=metrics, search_log=search_log, clicks=clicks
    ) as client:
        await ready(client)
        yield client


async def ask_every_way(client: httpx.AsyncClient) -> list[httpx.Response]:
    """One answer of each route that searches, the simple ones and those with options."""
    photo = {"files": {"image": ("p", picture(5))}}
    near = direction(7).tolist()
    return [
        await client.post("/v1/search/image?limit=3", **photo),
        await client.post("/v1/search/image?limit=3&filter=brand:Acme", **photo, data={"text": "boot"}),
        await client.post("/v1/search/hybrid?limit=3&text=hat", **photo),
        await client.post("/v1/search/vector", json={"vector": near, "limit": 3}),
        await client.post("/v1/search/vector?sort=-price", json={"vector": near, "limit": 3}),
        await client.get("/v1/products/p7/similar?limit=3"),
        await client.get("/v1/products/p7/similar?limit=3&rank=popular"),
        await client.get("/v1/search/text?q=Red boot&limit=3"),
        await client.get("/v1/search/text?filter=price:..10&limit=3"),
        await client.post("/v1/search", json={"text": "red", "products": ["p8"], "limit": 3}),
    ]


def counted(metrics: str, name: str) -> float:
    """A value of /metrics, by its name and labels; 0 where it is not there."""
    return next((float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith(f"{name} ")), 0.0)
