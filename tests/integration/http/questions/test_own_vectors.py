"""An index of a shop's own vectors is asked by vectors, products and words; photos are refused, no model is loaded."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import httpx
import pytest

from serving.blender.embedding.photos import PhotoEmbedder
from tests.support.serving.http_world import error, ids, over, picture, ready, serving
from tests.support.serving.world import DIMENSION, batch, direction, listed, near, ready_searcher

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

OWN = f"external:shop:{DIMENSION}"


def no_load(extractor_id: str, generation: str) -> PhotoEmbedder:
    raise AssertionError(f"{extractor_id} of {generation} was to be loaded")


@pytest.fixture
async def own() -> AsyncIterator[httpx.AsyncClient]:
    deltas = listed(batch(OWN), "lamp", [direction(1)])
    listed(deltas, "chair", [near(direction(1), 2, 0.4)])
    listed(deltas, "table", [-direction(1)])
    searcher = ready_searcher(deltas=deltas, extractor_id=OWN)
    async with serving(over(searcher), load=no_load, extractor_id=OWN) as client:
        await ready(client)
        yield client


async def test_vectors_products_and_words_are_answered(own: httpx.AsyncClient) -> None:
    preference = (10 * direction(1)).tolist()
    assert ids(await own.post("/v1/search/vector", json={"vector": preference})) == ["lamp", "chair", "table"]
    asked = {"vectors": [preference], "products": ["table"], "filter": {"brand": "Acme"}}
    assert set(ids(await own.post("/v1/search", json=asked))) == {"lamp", "chair"}
    assert ids(await own.get("/v1/products/lamp/similar")) == ["chair", "table"]
    assert ids(await own.get("/v1/search/text", params={"q": "table"})) == ["table"]


async def test_photo_is_refused_and_told_what_to_ask_by(own: httpx.AsyncClient) -> None:
    answers = [
        await own.post("/v1/search/image", files={"image": picture(1)}),
        await own.post("/v1/search/image", files={"image": picture(1)}, data={"text": "blue"}),
        await own.post("/v1/search", json={"images": [base64.b64encode(picture(1)).decode()]}),
    ]
    assert [error(answer) for answer in answers] == [(422, "own_vectors")] * 3
    for answer in answers:
        assert OWN in answer.text
        assert "`vectors`" in answer.text


async def test_vector_of_another_length_names_the_extractor(own: httpx.AsyncClient) -> None:
    answer = await own.post("/v1/search", json={"vectors": [[1.0, 2.0]]})
    assert error(answer) == (422, "invalid_query")
    assert OWN in answer.text


async def test_ready_and_described_without_a_model(own: httpx.AsyncClient) -> None:
    assert (await own.get("/readyz")).json() == {"ready": True, "waiting_for": []}
    index = (await own.get("/v1/index")).json()
    assert (index["extractor_id"], index["dimension"]) == (OWN, DIMENSION)
