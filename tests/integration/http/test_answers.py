"""The HTTP interface, over real HTTP: answers, and what is told of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from indexing.look.looks import Untuned
from indexing.shard.shard import Shard
from schemas.full_index.generation import LIVE
from schemas.search_pb2 import SearchRequest, SearchResponse
from serving.backend import SearchBackend
from serving.blender.embedding.photos import PhotoEmbedder
from serving.broker.service import BrokerService
from serving.local import LocalBackend
from serving.searcher.service import SearcherService
from tests.support.serving.http_world import (
    error,
    ids,
    over,
    picture,
    picture_vector,
    post_vector,
    serving,
)
from tests.support.serving.world import (
    DIMENSION,
    EXTRACTOR,
    WATERMARK,
    apply,
    batch,
    direction,
    listed,
    near,
    ready_searcher,
    removed,
)

pytestmark = pytest.mark.anyio


async def test_vector_search_answers_in_the_published_form(client: httpx.AsyncClient) -> None:
    answer = (await post_vector(client, limit=2)).json()
    assert answer.keys() == {
        "results",
        "watermark",
        "partial",
        "missing_shards",
        "pending_images",
        "refused_images",
        "took_ms",
        "generation",
    }
    assert (answer["watermark"], answer["partial"], answer["missing_shards"]) == (WATERMARK, False, [])
    assert (answer["pending_images"], answer["generation"]) == (1, LIVE)
    assert answer["took_ms"].keys() == {"total", "embed", "search"}
    best = answer["results"][0]
    assert best.pop("score") == pytest.approx(1.0, abs=1e-5)
    assert best == {
        "product_id": "lamp", "image_url": "https://shop.example/lamp/0.jpg", "title": "Title of lamp",
        "category": "shoes/running", "brand": "Acme", "price": 10.0, "sales": 3, "praise": 0.96, "colour": "red",
    }  # fmt: skip


async def test_images_of_a_product_collapse_to_its_best(client: httpx.AsyncClient) -> None:
    found = ids(await post_vector(client, limit=3))
    assert found[:2] == ["lamp", "chair"]
    assert len(set(found)) == 3


async def test_unknown_attributes_are_returned_and_override_nothing(client: httpx.AsyncClient) -> None:
    chair = (await post_vector(client, limit=2)).json()["results"][1]
    assert chair["material"] == "oak"
    assert chair["score"] < 1


async def test_raw_float32_answers_as_json_does(client: httpx.AsyncClient) -> None:
    raw = await client.post(
        "/v1/search/vector",
        params={"limit": 2},
        content=(direction(1) * 7).astype("<f4").tobytes(),
        headers={"content-type": "application/octet-stream"},
    )
    assert ids(raw) == ids(await post_vector(client, limit=2))
    assert raw.json()["results"][0]["score"] == pytest.approx(1.0, abs=1e-5)  # of any length: it is normalised


async def test_enough_images_are_asked_for_to_fill_the_limit_with_products() -> None:
    many = [near(direction(1), 100 + n, 0.01) for n in range(60)]
    deltas = listed(listed(listed(batch(), "many", many), "b", [direction(2)]), "c", [direction(3)])
    async with serving(over(ready_searcher(deltas=deltas))) as client:
        assert set(ids(await post_vector(client, limit=3))) == {"many", "b", "c"}


async def test_photo_finds_its_product(client: httpx.AsyncClient) -> None:
    for kind in ("PNG", "WEBP"):
        answer = await client.post("/v1/search/image?limit=1", files={"image": ("q", picture(1, kind=kind))})
        assert ids(answer) == ["photo"]
        assert answer.json()["took_ms"]["embed"] > 0


async def test_similar_leaves_the_product_itself_out(client: httpx.AsyncClient) -> None:
    found = ids(await client.get("/v1/products/lamp/similar", params={"limit": 2}))
    assert found[0] == "chair"
    assert "lamp" not in found
    assert len(found) == 2


async def test_similar_to_an_unknown_or_waiting_product_is_404(client: httpx.AsyncClient) -> None:
    for product in ("nobody", "vase"):
        assert error(await client.get(f"/v1/products/{product}/similar")) == (404, "not_found")


async def test_removed_product_vanishes_from_every_endpoint_until_listed_again(
    client: httpx.AsyncClient, searcher: SearcherService
) -> None:
    apply(searcher, removed(batch(), "photo"))
    assert "photo" not in ids(await post_vector(client, limit=100))
    by_photo = await client.post("/v1/search/image?limit=100", files={"image": ("q", picture(1))})
    assert "photo" not in ids(by_photo)
    assert "photo" not in ids(await client.get("/v1/products/lamp/similar?limit=100"))
    assert error(await client.get("/v1/products/photo/similar")) == (404, "not_found")
    receipt = (await client.get("/v1/products/photo/status")).json()
    assert (receipt["known"], receipt["searchable"], receipt["complete"]) == (True, False, True)
    apply(searcher, listed(batch(), "photo", [None], offset=3))
    assert (await client.get("/v1/products/photo/status")).json()["searchable"] is False  # a newer image is awaited
    apply(searcher, listed(batch(), "photo", [picture_vector(1)], offset=4))
    assert ids(await client.post("/v1/search/image?limit=1", files={"image": ("q", picture(1))})) == ["photo"]


async def test_receipt_shows_images_prices_and_watermark(client: httpx.AsyncClient) -> None:
    receipt = (await client.get("/v1/products/lamp/status")).json()
    assert (receipt["product_id"], receipt["searchable"], receipt["watermark"]) == ("lamp", True, WATERMARK)
    (replica,) = receipt["replicas"]
    assert (replica["price"], replica["sales"], replica["attributes"]["colour"]) == (10.0, 3, "red")
    assert [image["searchable"] for image in replica["images"]] == [True, True]
    assert all("vector" not in image for image in replica["images"])


async def test_receipt_of_a_product_never_heard_of(client: httpx.AsyncClient) -> None:
    receipt = (await client.get("/v1/products/nobody/status")).json()
    assert (receipt["known"], receipt["searchable"], receipt["complete"]) == (False, False, True)
    assert receipt["replicas"][0]["price"] is None


async def test_product_id_may_hold_slashes_and_spaces(client: httpx.AsyncClient, searcher: SearcherService) -> None:
    apply(searcher, listed(batch(), "a/b c", [direction(5)]))
    assert (await client.get("/v1/products/a/b%20c/status")).json()["searchable"] is True
    assert (await client.get("/v1/products/a%2Fb%20c/status")).json()["product_id"] == "a/b c"


async def test_product_id_may_hold_line_breaks(client: httpx.AsyncClient, searcher: SearcherService) -> None:
    apply(searcher, listed(batch(), "\na\r\nb\n", [direction(5)]))
    assert (await client.get("/v1/products/%0Aa%0D%0Ab%0A/status")).json()["searchable"] is True
    assert (await client.get("/v1/products/%0Aa%0D%0Ab%0A/similar")).status_code == 200


class RemoteExtractor:
    """A backend whose index is of another extractor than the blender's."""

    def __init__(self) -> None:
        self._searcher = SearcherService(0, 0, Untuned("other-00000000-p1-16", DIMENSION))

    def backend(self) -> SearchBackend:
        self._searcher.begin(Shard("other-00000000-p1-16", DIMENSION))
        self._searcher.ready()
        return LocalBackend(self._searcher)


async def test_index_of_another_extractor_is_a_conflict_never_a_bad_result() -> None:
    async with serving(RemoteExtractor().backend()) as client:
        answer = await post_vector(client)
    assert error(answer) == (409, "extractor_mismatch")
    assert EXTRACTOR in answer.text


async def test_dead_shard_makes_the_answer_partial(searcher: SearcherService) -> None:
    dead = SearcherService(1, 0, Untuned(EXTRACTOR, DIMENSION), shards=2)
    async with serving(over(searcher, dead)) as client:
        answer = (await post_vector(client)).json()
        assert (answer["partial"], answer["missing_shards"]) == (True, [1])
        assert answer["results"][0]["product_id"] == "lamp"
        readiness = await client.get("/readyz")
    assert readiness.status_code == 503
    assert any("shard 1" in reason for reason in readiness.json()["waiting_for"])


async def test_no_shard_at_all_is_503(searcher: SearcherService) -> None:
    searcher.fail("lost its log")
    async with serving(over(searcher)) as client:
        answer = await post_vector(client)
        assert error(answer) == (503, "not_ready")
        assert answer.headers["retry-after"] == "1"
        assert error(await client.get("/v1/products/lamp/similar")) == (503, "not_ready")
        receipt = (await client.get("/v1/products/lamp/status")).json()
        assert (receipt["complete"], receipt["searchable"]) == (False, False)
        assert "lost its log" in receipt["replicas"][0]["error"]
        assert (await client.get("/healthz")).status_code == 200


async def test_photo_search_waits_for_the_model_and_says_so(searcher: SearcherService) -> None:
    def broken(_extractor_id: str, _generation: str) -> PhotoEmbedder:
        raise ValueError("no weights here")

    async with serving(over(searcher), load=broken) as client:
        photo = await client.post("/v1/search/image", files={"image": ("q", picture(1))})
        assert error(photo) == (503, "not_ready")
        assert ids(await post_vector(client))[0] == "lamp"  # vectors need no model
        readiness = await client.get("/readyz")
    assert readiness.status_code == 503
    assert readiness.json()["ready"] is False


async def test_index_adds_the_shards_up(client: httpx.AsyncClient, searcher: SearcherService) -> None:
    index = (await client.get("/v1/index")).json()
    assert (index["ready"], index["images"], index["searchable"], index["pending"]) == (True, 6, 5, 1)
    assert (index["extractor_id"], index["dimension"]) == (EXTRACTOR, DIMENSION)
    assert searcher.index is not None
    assert index["shards"][0]["digest"] == searcher.index.stats().digest.hex()


async def test_metrics_count_requests_by_route_not_by_path(client: httpx.AsyncClient) -> None:
    await client.get("/v1/products/lamp/status")
    await post_vector(client)
    text = (await client.get("/metrics")).text
    assert 'route="/v1/products/{product_id:product}/status",status="200"} 1.0' in text
    assert 'route="/v1/search/vector",status="200"} 1.0' in text
    assert "lamp" not in text


async def test_openapi_refers_to_nothing_that_it_does_not_define(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert {"/v1/search/image", "/v1/search/vector", "/v1/products/{product_id}/similar"} <= document["paths"].keys()
    defined = document["components"]["schemas"]
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in defined
    assert set(defined["SearchAnswer"]["properties"]) == {
        "results", "watermark", "partial", "missing_shards", "pending_images", "refused_images", "took_ms",
        "generation", "matches", "facets", "cursor", "match", "by_meaning", "corrected", "explain",
        "search_id", "learned_rank", "category", "photos",
    }  # fmt: skip
    assert set(defined["SearchAnswer"]["required"]) == {
        "results", "watermark", "partial", "missing_shards", "pending_images", "refused_images", "took_ms", "generation"
    }  # fmt: skip


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


async def test_page_is_served_when_there_is_one(tmp_path: Path, searcher: SearcherService) -> None:
    (tmp_path / "index.html").write_text("<title>Vitrine</title>")
    async with serving(over(searcher), page=tmp_path) as client:
        assert "Vitrine" in (await client.get("/")).text
        assert ids(await post_vector(client))[0] == "lamp"
    async with serving(over(searcher)) as client:
        assert (await client.get("/")).status_code == 404


class Counting:
    """Passes on to a backend and notes the sizes of its calls."""

    def __init__(self, inner: BrokerService) -> None:
        self._inner = inner
        self.counts: list[int] = []
        self.product, self.details = inner.product, inner.details
        self.status, self.close = inner.status, inner.close

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        self.counts.append(request.count)
        return await self._inner.search(request, timeout_s)


async def test_concurrent_requests_share_calls_and_keep_their_own_answers(searcher: SearcherService) -> None:
    apply(searcher, listed(batch(), "own", [direction(7)]))
    counting = Counting(over(searcher))
    async with serving(counting) as client:
        answers = await asyncio.gather(*(post_vector(client, 7 if n % 2 else 1, limit=1) for n in range(60)))
    assert [ids(answer)[0] for answer in answers] == ["own" if n % 2 else "lamp" for n in range(60)]
    assert sum(counting.counts) == 60
    assert len(counting.counts) < 60


def test_example_of_the_issue_has_the_same_fields() -> None:
    from serving.blender.showing.answers import Result, SearchAnswer

    example = json.loads(
        '{"product_id": "p1", "score": 0.93, "image_url": "...", "title": "...", "category": "...", "brand": "...",'
        ' "price": 49.9, "sales": 120, "praise": 0.96}'
    )
    left = ("colour", "attributes_trimmed", "also_at", "explain")
    assert list(example) == [name for name in Result.__annotations__ if name not in left]
    assert SearchAnswer.__struct_fields__[:4] == ("results", "watermark", "partial", "missing_shards")
