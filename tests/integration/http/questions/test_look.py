"""Searching by a tuned look over HTTP: parts of it weighed and explained, the photo's category told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.category.head import CategoryHead
from indexing.look.looks import Tuned
from indexing.shard.shard import Shard
from schemas.deltas.delta import DeltaBatch, decode_deltas, encode_deltas
from schemas.features.blocks import blocks_of
from schemas.features.ids import tuned_id
from schemas.features.stored import feature_bytes
from schemas.ids import image_id
from serving.searcher.service import SearcherService
from tests.support.pictures.looks import FEATURES, base_rows, small_tuning
from tests.support.serving.http_world import GreyEmbedder, over, picture, ready, serving
from tests.support.serving.world import EXTRACTOR, batch, ready_searcher

NAMES = ("bags", "hats", "shoes")
PRODUCTS = 30


def made_up(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Base features of a picture, (3284,): the same picture has the same."""
    seed = int.from_bytes(blake2b(pixels.tobytes(), digest_size=4).digest(), "little")
    return base_rows(1, seed)[0]


def tuned() -> Tuned:
    random = np.random.default_rng(3)
    matrix = random.normal(0.0, 2.0, (1280 + 672, len(NAMES))).astype(np.float16).astype(np.float32)
    head = CategoryHead(FEATURES, blocks_of(FEATURES), NAMES, 0.9, matrix, np.zeros(len(NAMES), np.float32))
    tuning = small_tuning(1, numbers=6).with_head(head)
    return Tuned(tuning, tuned_id(FEATURES, "0123456789", tuning.dimension))


LOOK = tuned()

pytestmark = pytest.mark.anyio


class BlockEmbedder(GreyEmbedder):
    tuning = LOOK.tuning

    def embed(self, inputs: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return LOOK.tuning.queries(np.stack([made_up(pixels) for pixels in inputs]))


def features() -> NDArray[np.float32]:
    """Of product n picture n."""
    embedder = GreyEmbedder()
    return np.stack([made_up(embedder.prepare(picture(number))) for number in range(PRODUCTS)])


@asynccontextmanager
async def shop() -> AsyncIterator[httpx.AsyncClient]:
    searcher = SearcherService(0, 0, LOOK)
    searcher.begin(Shard(LOOK.extractor_id, LOOK.dimension, LOOK))
    deltas = DeltaBatch(FEATURES)
    for number, feature in enumerate(feature_bytes(features(), FEATURES)):
        product, url = f"p{number}", f"https://shop.example/{number}.jpg"
        deltas.add(image_id(product, url), product, state_seq=1, valid=True, image_seq=1, url=url, vector_seq=1,
                   vector=feature)  # fmt: skip
    assert searcher.index is not None
    searcher.index.apply(decode_deltas(encode_deltas(deltas)))
    searcher.ready()

    def load(_extractor_id: str, _generation: str) -> BlockEmbedder:
        return BlockEmbedder()

    async with serving(over(searcher), load=load, extractor_id=LOOK.extractor_id) as client:
        await ready(client)
        yield client


def names(answer: dict[str, Any]) -> list[str]:
    return [result["product_id"] for result in answer["results"]]


def detail(answer: httpx.Response) -> str:
    found: str = answer.json()["error"]["detail"]
    return found


async def by_photo(client: httpx.AsyncClient, number: int, **parameters: str) -> httpx.Response:
    return await client.post("/v1/search/image", files={"image": picture(number)}, params=parameters)


async def test_photo_finds_its_product_and_its_category_is_told() -> None:
    async with shop() as client:
        plain = (await by_photo(client, 7)).json()
        assert plain["results"][0]["product_id"] == "p7"
        assert {each["name"] for each in plain["category"]} == set(NAMES)
        likely = [each["p"] for each in plain["category"]]
        assert likely == sorted(likely, reverse=True) and sum(likely) == pytest.approx(1.0, abs=1e-3)
        head = LOOK.tuning.head
        assert head is not None
        told = head.probabilities(features()[7:8])[0]
        assert plain["category"][0]["name"] == NAMES[int(told.argmax())]
        asked = (await by_photo(client, 7, explain="true", limit="3")).json()
        assert asked["category"] == plain["category"]
        assert "category" not in (await client.get("/v1/products/p7/similar")).json(), "it is told of photos"


async def test_parts_of_the_look_are_weighed() -> None:
    async with shop() as client:
        parts = (await client.get("/v1/index")).json()["look_parts"]
        assert parts == ["kind", "shape", "texture", "colour", "category"]
        only = (await by_photo(client, 7, look="kind:0;shape:0;texture:0;category:0", explain="true")).json()
        parts = only["results"][0]["explain"]["look_parts"]
        assert only["results"][0]["product_id"] == "p7"
        assert [name for name, part in parts.items() if part] == ["colour"]
        assert only["results"][0]["score"] == pytest.approx(parts["colour"], abs=1e-5)
        usual = (await by_photo(client, 7, explain="true")).json()["results"][1]
        shares = usual["explain"]["look_parts"]
        assert set(shares) == {"kind", "shape", "texture", "colour", "category"}
        assert sum(shares.values()) == pytest.approx(usual["explain"]["look"]["score"], abs=1e-5)
        body = {"products": ["p3"], "look": {"colour": 2.0}, "limit": 5}
        weighed = (await client.post("/v1/search", json=body)).json()
        assert weighed["results"] and "p3" not in names(weighed)
        usual = (await client.post("/v1/search", json={"products": ["p3"], "limit": 5})).json()
        assert weighed["results"] != usual["results"]


async def test_pages_of_other_weights_do_not_continue_each_other() -> None:
    async with shop() as client:
        body = {"products": ["p3"], "look": {"colour": 2.0}, "limit": 5}
        first = (await client.post("/v1/search", json=body)).json()
        second = (await client.post("/v1/search", json=body | {"cursor": first["cursor"]})).json()
        assert not set(names(first)) & set(names(second))
        other = await client.post("/v1/search", json=body | {"look": {"colour": 1.5}, "cursor": first["cursor"]})
        assert other.status_code == 422 and "another question" in detail(other)


async def test_base_features_are_made_vectors_and_vectors_are_taken_as_they_are() -> None:
    async with shop() as client:
        base = features()[11]
        by_base = (await client.post("/v1/search/vector", json={"vector": (3 * base).tolist()})).json()
        vector = LOOK.tuning.queries(base[None])[0].tolist()
        by_vector = (await client.post("/v1/search/vector", json={"vector": vector})).json()
        assert names(by_base)[0] == names(by_vector)[0] == "p11"
        np.testing.assert_allclose(
            [each["score"] for each in by_base["results"]], [each["score"] for each in by_vector["results"]], atol=1e-4
        )
        wrong = await client.post("/v1/search/vector", json={"vector": [1.0] * 5})
        assert wrong.status_code == 422 and "has 5 numbers" in detail(wrong)


@pytest.mark.parametrize(
    ("look", "said"),
    [
        ({"smell": 1.0}, "no block 'smell'"),
        (dict.fromkeys(("kind", "shape", "texture", "colour", "category"), 0), "nothing is left"),
        ({"colour": -1}, ">= 0"),
        ({"colour": 1e9}, "<= 100"),
        ({"colour": "much"}, "float"),
        (["colour"], "object"),
    ],
)
async def test_weights_that_cannot_be_are_refused_by_name(look: object, said: str) -> None:
    async with shop() as client:
        answer = await client.post("/v1/search", json={"products": ["p3"], "look": look})
        assert answer.status_code == 422 and "look" in detail(answer) and said in detail(answer)


async def test_look_needs_something_to_look_like_and_an_index_that_has_parts() -> None:
    async with shop() as client:
        words = await client.post("/v1/search", json={"text": "shoe", "look": {"colour": 2}})
        assert words.status_code == 422 and "send one with it" in detail(words)
        bad = await client.get("/v1/products/p3/similar", params={"look": "colour"})
        assert bad.status_code == 422 and "shape:0.5;colour:2" in detail(bad)
        async with serving(over(ready_searcher(deltas=batch(EXTRACTOR)))) as plain:
            await ready(plain)
            answer = await plain.post("/v1/search/image", files={"image": picture(1)}, params={"look": "colour:2"})
            assert answer.status_code == 422 and "no parts" in detail(answer)
