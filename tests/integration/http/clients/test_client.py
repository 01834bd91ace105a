"""The client for Python over a real blender: every question, both ways to wait; and that it knows all there is."""

from __future__ import annotations

import asyncio
import io
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

import vitrine_client as sdk
from schemas.access.api_keys import ApiKeys, Role, change_keys, new_key
from serving.blender.http.keys import KeyRing
from serving.blender.writing.erasures import Erasures
from tests.integration.http.clients.conftest import Erasing
from tests.support.serving.http_world import over, picture, ready, serving
from tests.support.serving.shop import COUNT, FIELDS, PRODUCTS, shop
from tests.support.serving.world import DIMENSION, WATERMARK, direction

pytestmark = pytest.mark.anyio
Ask = Callable[..., Awaitable[Any]]
"""(name of a method, its arguments) -> its answer; of `pages`, all of them in a list."""


def asking(kind: str, base: str, **options: Any) -> Ask:
    """The client for threads on a thread of its own, or the one for asyncio."""

    def by_thread(name: str, arguments: Any, named: Any) -> Any:
        with sdk.Vitrine(base, trust_env=False, **options) as vitrine:
            answer = getattr(vitrine, name)(*arguments, **named)
            return list(answer) if name == "pages" else answer

    async def ask(name: str, *arguments: Any, **named: Any) -> Any:
        if kind == "threads":
            return await asyncio.to_thread(by_thread, name, arguments, named)
        async with sdk.AsyncVitrine(base, trust_env=False, **options) as vitrine:
            answer = getattr(vitrine, name)(*arguments, **named)
            return [page async for page in answer] if name == "pages" else await answer

    return ask


@pytest.fixture(params=["threads", "asyncio"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ask(kind: str, server: httpx.AsyncClient) -> Ask:
    return asking(kind, str(server.base_url))


def ids(answer: sdk.Answer) -> list[str]:
    return [result.product_id for result in answer.results]


def matching(condition: Callable[[dict[str, Any]], bool]) -> set[str]:
    return {product for product, fields in PRODUCTS.items() if condition(fields)}


async def test_words_filter_and_facets_come_back_in_structs(ask: Ask) -> None:
    answer = await ask("search", text="boot", filter={"price": {"lt": 30}}, facets=["brand"], limit=100)
    wanted = matching(lambda each: "boot" in each["title"] and each["price"] < 30)
    assert isinstance(answer, sdk.Answer)
    assert set(ids(answer)) == wanted
    assert (answer.matches, answer.match, answer.watermark, answer.generation) == (
        len(wanted), "all", WATERMARK, "live"
    )  # fmt: skip
    assert answer.facets is not None
    counted = {each.value: each.count for each in answer.facets["brand"].values}
    assert counted == Counter(PRODUCTS[product]["brand"] for product in wanted)
    for result in answer.results:
        shown = PRODUCTS[result.product_id]
        assert (result.title, result.price, result.colour) == (shown["title"], shown["price"], shown["colour"])
        assert result.attributes == {"material": shown["material"]}


async def test_photo_vector_and_product_find_what_looks_like_them(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(picture(5))
    for photo in (picture(5), path, str(path), io.BytesIO(picture(5))):
        assert ids(await ask("search_image", photo, limit=1)) == ["p5"]
    assert ids(await ask("search_image", path, picture(5), text="hat", limit=3))[0] == "p5"
    vector = direction(7)
    near = ids(await ask("search_vector", vector, limit=5))
    assert near == ids(await ask("search", vectors=[vector.tolist()], limit=5))
    assert near == ids(await ask("search", vectors=[{"vector": vector, "weight": 2}], limit=5))
    assert ids(await ask("search", images=[{"data": path}], limit=1)) == ["p5"]
    alike = ids(await ask("similar", near[0], limit=100))
    assert near[0] not in alike
    assert set(alike) == PRODUCTS.keys() - {near[0]}


async def test_every_option_is_taken_by_every_search(ask: Ask) -> None:
    options: dict[str, Any] = {
        "limit": 4,
        "offset": 1,
        "match": "any",
        "filter": "colour:red,blue;price:1..",
        "facets": ["brand", {"field": "price", "ranges": [20, 40], "exclude_own": True}, "!sales:100,200"],
        "rank": "popular",
        "max_per": {"brand": 2},
        "mmr": 0.9,
        "doubles": "merge",
        "min_score": -1.0,
        "explain": True,
        "generation": "",
    }
    passing = matching(lambda each: each["colour"] in ("red", "blue") and each["price"] >= 1)
    whole = options | {
        "vectors": [direction(7)],
        "products": ["p2", {"id": "p3", "weight": -0.2}],
        "text": "number",
        "weights": {"look": 0.5, "words": 1},
        "fusion": "linear",
        "filter": {"colour": ["red", "blue"], "price": {"gte": 1}},
        "facets": [
            "brand",
            {"field": "price", "ranges": [20, 40], "exclude_own": True},
            {"field": "sales", "ranges": [100], "limit": 3},
        ],
    }
    for answer in (
        await ask("search_text", "number", **options),
        await ask("search_image", picture(1), text="number", **options),
        await ask("search_vector", direction(7), text="number", **options),
        await ask("similar", "p1", text="number", **options),
        await ask("search", **whole),
    ):
        assert len(answer.results) == 4
        assert set(ids(answer)) <= passing
        assert max(Counter(result.brand for result in answer.results).values()) <= 2
        assert answer.facets.keys() == {"brand", "price", "sales"}
        assert sum(bucket.count for bucket in answer.facets["price"].buckets) == answer.facets["price"].products
        assert answer.facets["price"].low == 0, "a red one costs nothing, which the filter leaves out"
        first = answer.results[0].explain
        assert first.score == pytest.approx(0.1 * first.relevance + first.measures["sales"].part)
        assert answer.explain.shards
    cheapest = await ask("search_text", filter={"category": "shoes"}, sort="price", limit=3)
    assert ids(cheapest) == ["p0", "p1", "p3"]


async def test_pages_give_everything_once(ask: Ask) -> None:
    pages = await ask("pages", text="number", limit=25)
    assert [len(page.results) for page in pages] == [25, 25, 10]
    found = [product for page in pages for product in ids(page)]
    assert sorted(found) == sorted(PRODUCTS)
    assert len(found) == COUNT


async def test_batch_answers_each_and_says_what_is_wrong_with_one(ask: Ask) -> None:
    good, bad, unknown = await ask("batch", [{"text": "hat", "limit": 2}, {"filter": {"nope": 1}}, {"products": ["x"]}])
    assert len(good.answer.results) == 2
    assert good.error is None
    assert (bad.answer, bad.error.reason, unknown.error.reason) == (None, "invalid_filter", "not_found")


async def test_typing_is_helped_on(ask: Ask) -> None:
    assert await ask("suggest", "red bo", limit=1) == [sdk.Suggestion(text="red boot", products=20)]
    assert await ask("suggest", "acm") == [
        sdk.Suggestion(text="acme", products=21), sdk.Suggestion(text="Acme", products=21, field="brand")
    ]  # fmt: skip


async def test_receipt_index_and_readiness(ask: Ask) -> None:
    receipt = await ask("status", "p1")
    assert (receipt.known, receipt.searchable, receipt.complete) == (True, True, True)
    assert receipt.replicas[0].images[0].searchable
    assert not (await ask("status", "nobody")).known
    index = await ask("index")
    assert (index.dimension, index.searchable, len(index.shards)) == (DIMENSION, COUNT, 2)
    assert await ask("ready") == sdk.Readiness(ready=True, waiting_for=[])


@pytest.mark.parametrize("product", ["p1", "a/b", "..", "a b?#%", "ö\n", "%2E", "a/../b", "x/status"])
async def test_product_is_erased_whatever_its_id(ask: Ask, erasing: Erasing, product: str) -> None:
    answer = await ask("erase", product)
    assert answer == sdk.ErasureAccepted(product_id=product, partition=1, offset=7)
    assert erasing.erased == [product]
    assert (await ask("status", product)).product_id == product


async def test_what_is_refused_says_why(ask: Ask) -> None:
    with pytest.raises(sdk.NotFound) as missing:
        await ask("similar", "nobody")
    assert missing.value.status == 404
    with pytest.raises(sdk.Refused) as refused:
        await ask("search", text="x", filter={"tints": "red"})
    assert (refused.value.reason, refused.value.status) == ("invalid_filter", 422)
    assert "colour" in refused.value.detail
    with pytest.raises(sdk.TooLarge):
        await ask("search_image", b"\0" * 500_000)
    with pytest.raises(sdk.Refused) as broken:
        await ask("search_image", b"no picture")
    assert broken.value.status in (415, 422)


async def test_nothing_that_answers_is_unavailable(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(sdk.Unavailable) as raised:
        await asking(kind, f"http://127.0.0.1:{port}", retries=1)("index")
    assert (raised.value.reason, raised.value.status) == ("connection", None)


async def test_silent_server_is_given_up_in_time(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(sdk.Unavailable, match="timeout"):
        await asking(kind, f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.2, retries=5)("index")


async def test_key_opens_what_its_role_may(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key, text = new_key("a shop", (Role.SEARCH,), requests_per_s=1000)
    change_keys(file, lambda _before: ApiKeys(keys=(key,)))
    erasures = cast(Erasures, Erasing())
    async with serving(over(*shop()), fields=FIELDS, keys=KeyRing(file, look_s=0), erasures=erasures) as server:
        await ready(server)
        base = str(server.base_url)
        ask = asking(kind, base, key=text)
        assert ids(await ask("search_image", picture(5), limit=1)) == ["p5"]
        assert (await ask("search", text="boot")).results
        assert (await ask("search_text", "boot")).results
        assert (await ask("batch", [{"text": "boot"}]))[0].answer is not None
        assert await ask("suggest", "bo")
        with pytest.raises(sdk.Unauthorised, match="erase"):
            await ask("erase", "p1")
        with pytest.raises(sdk.Unauthorised, match="key_missing"):
            await asking(kind, base)("search", text="boot")
        assert (await asking(kind, base)("ready")).ready


async def test_limit_of_a_key_is_too_many_with_when_to_come_again(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key, text = new_key("a shop", (Role.SEARCH,), photo_bytes_per_minute=1)
    change_keys(file, lambda _before: ApiKeys(keys=(key,)))
    async with serving(over(*shop()), keys=KeyRing(file, look_s=0)) as server:
        await ready(server)
        with pytest.raises(sdk.TooMany) as raised:
            await asking(kind, str(server.base_url), key=text, timeout_s=5)("search_image", picture(5))
    assert raised.value.retry_after_s == 60
