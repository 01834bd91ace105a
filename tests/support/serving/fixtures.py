"""Fixtures of the tests of the serving tier."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from schemas.settings import Settings
from serving.searcher.service import SearcherService
from tests.support.serving.generations import products, settings_in
from tests.support.serving.http_world import over, picture_vector, ready, serving
from tests.support.serving.world import MemoryTopic, batch, direction, listed, near, ready_searcher


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two shards in a folder of their own."""
    return settings_in(tmp_path)


@pytest.fixture
def topic() -> MemoryTopic:
    """Twenty products in two partitions."""
    topic = MemoryTopic(2)
    topic.send(products())
    return topic


@pytest.fixture
def searcher() -> SearcherService:
    """One shard: `lamp` (two images), `chair` near it, `table` far off, `vase` without its vector."""
    deltas = listed(batch(), "lamp", [direction(1), near(direction(1), 9)], price=10.0, sales=3, colour="red")
    listed(deltas, "chair", [near(direction(1), 2, 0.4)], material="oak", score=99, product_id_shown="x")
    listed(deltas, "table", [-direction(1)])
    listed(deltas, "photo", [picture_vector(1)])
    return ready_searcher(deltas=listed(deltas, "vase", [None]))


@pytest.fixture
async def client(searcher: SearcherService) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(over(searcher)) as client:
        await ready(client)
        yield client
