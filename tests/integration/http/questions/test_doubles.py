"""Doubles over HTTP: products of one picture in two shards, merged into the best, with and without a filter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

import vitrine_client as sdk
from schemas.ids import shard_of_product
from schemas.query.indexed import Indexed
from serving.blender.asking.merging import Merging
from serving.blender.metrics import BlenderMetrics
from serving.searcher.service import SearcherService
from tests.support.serving.http_world import over, picture, picture_vector, ready, serving
from tests.support.serving.shop import FIELDS
from tests.support.serving.world import apply, batch, direction, listed, near, ready_searcher

pytestmark = pytest.mark.anyio

MERGED = "vitrine_blender_merged_products_total"
PICTURES = 9
SELLERS = ("Acme", "Strider", "Nord")


def look(number: int, seller: int) -> Any:
    """Each picture at three sellers, stored anew at each, so that the first is nearest to what is asked with."""
    return near(near(direction(7), number, 0.5), 100 + seller, 0.002 * seller)


def twice_sold() -> list[SearcherService]:
    """`s0-1`: picture 0 at seller 1; all of picture 5 are near `picture(5)`."""
    searchers = [ready_searcher(shard, shards=2, indexed=Indexed(FIELDS)) for shard in range(2)]
    for number in range(PICTURES):
        for seller, brand in enumerate(SELLERS):
            product = f"s{number}-{seller}"
            vector = near(picture_vector(5), 100 + seller, 0.002 * seller) if number == 5 else look(number, seller)
            known = {"title": f"Boot {number} of {brand}", "brand": brand}
            deltas = listed(batch(), product, [vector], price=10.0 * number + seller, **known)
            apply(searchers[shard_of_product(product, 2)], deltas)
    return searchers


@pytest.fixture
def metrics() -> BlenderMetrics:
    return BlenderMetrics()


@pytest.fixture
async def client(metrics: BlenderMetrics) -> AsyncIterator[httpx.AsyncClient]:
    """Of a shop that merges doubles."""
    merging = Merging(by_default=True, likeness=0.999)
    async with serving(over(*twice_sold()), metrics=metrics, fields=FIELDS, merging=merging) as client:
        await ready(client)
        yield client


def groups(answer: dict[str, Any]) -> list[set[str]]:
    return [
        {result["product_id"], *(each["product_id"] for each in result.get("also_at", ()))}
        for result in answer["results"]
    ]


def whole(number: int) -> set[str]:
    return {f"s{number}-{seller}" for seller in range(3)}


async def ask(client: httpx.AsyncClient, **question: Any) -> dict[str, Any]:
    answer = await client.post("/v1/search", json=question)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_every_route_names_the_doubles_under_the_best(client: httpx.AsyncClient, metrics: BlenderMetrics) -> None:
    photo = await client.post("/v1/search/image?limit=2", files={"image": picture(5)})
    first = photo.json()["results"][0]
    assert first["product_id"] == "s5-0"
    assert first["also_at"] == [
        {
            "product_id": f"s5-{seller}",
            "similarity": pytest.approx(1, abs=1e-3),
            "image_url": f"https://shop.example/s5-{seller}/0.jpg",
            "title": f"Boot 5 of {SELLERS[seller]}",
            "price": 50.0 + seller,
        }
        for seller in (1, 2)
    ]
    vector = await client.post("/v1/search/vector", json={"vector": look(2, 0).tolist(), "limit": 3})
    assert groups(vector.json())[0] == whole(2)
    assert len(vector.json()["results"]) == 3
    alike = (await client.get("/v1/products/s2-1/similar?limit=1")).json()
    assert groups(alike) == [{"s2-0", "s2-2"}]
    words = (await client.get("/v1/search/text?q=boot+3&sort=price")).json()
    assert groups(words) == [whole(3)]
    assert words["results"][0]["product_id"] == "s3-0", "the first in the order that was asked for leads"
    named = 4 + 6 + 1 + 2
    assert metrics.registry.get_sample_value(MERGED) == named


async def test_pages_have_each_product_once_and_counts_are_of_all(client: httpx.AsyncClient) -> None:
    question: dict[str, Any] = {"vectors": [direction(7).tolist()], "limit": 2, "facets": ["brand"]}
    found: list[set[str]] = []
    cursor = ""
    for _ in range(PICTURES):
        answer = await ask(client, **question, **({"cursor": cursor} if cursor else {}))
        found += groups(answer)
        assert answer["matches"] == 3 * PICTURES
        assert [each["count"] for each in answer["facets"]["brand"]["values"]] == [PICTURES] * 3
        cursor = answer.get("cursor", "")
        if not cursor:
            break
    assert sorted(map(sorted, found)) == sorted(map(sorted, map(whole, range(PICTURES))))


async def test_with_a_filter_those_that_pass_are_named_and_no_others(client: httpx.AsyncClient) -> None:
    question = {"vectors": [look(2, 0).tolist()], "limit": 1}
    assert groups(await ask(client, **question, filter={"brand": ["Strider", "Nord"]})) == [{"s2-1", "s2-2"}]
    assert groups(await ask(client, **question, filter={"brand": "Nord"})) == [{"s2-2"}]
    assert groups(await ask(client, **question, filter={"price": {"lt": 22}})) == [{"s2-0", "s2-1"}]


async def test_a_question_may_want_them_shown_and_explain_says_how_they_were_merged(client: httpx.AsyncClient) -> None:
    vector = [look(2, 0).tolist()]
    shown = await ask(client, vectors=vector, limit=3, doubles="show", explain=True)
    assert [each["product_id"] for each in shown["results"]] == ["s2-0", "s2-1", "s2-2"]
    assert not any("also_at" in each for each in shown["results"])
    assert "doubles" not in shown["explain"]
    merged = await ask(client, vectors=vector, limit=3, explain=True)
    how = merged["explain"]["doubles"]
    assert (how["likeness"], how["merged"]) == (0.999, 6)
    assert 9 <= how["compared"] <= 3 * PICTURES


async def test_a_shop_that_shows_them_merges_for_who_asks() -> None:
    async with serving(over(*twice_sold()), fields=FIELDS, merging=Merging(likeness=0.999)) as client:
        await ready(client)
        url = "/v1/search/image?limit=3"
        shown = (await client.post(url, files={"image": picture(5)})).json()
        assert [each["product_id"] for each in shown["results"]] == ["s5-0", "s5-1", "s5-2"]
        merged = (await client.post(f"{url}&doubles=merge", files={"image": picture(5)})).json()
        assert groups(merged)[0] == whole(5)
        refused = await client.post(f"{url}&doubles=hide", files={"image": picture(5)})
        assert refused.status_code == 422
        assert "merge or show" in refused.json()["error"]["detail"]
        async with sdk.AsyncVitrine(str(client.base_url), trust_env=False) as vitrine:
            answer = await vitrine.search_vector(look(2, 0), limit=1, doubles="merge")
        assert [each.product_id for each in answer.results[0].also_at] == ["s2-1", "s2-2"]
        assert answer.results[0].also_at[0].price == 21.0
