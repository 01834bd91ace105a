"""The receipt says of a product what searches show of it. At the HTTP door."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from serving.searcher.service import SearcherService
from tests.support.serving.http_world import post_vector
from tests.support.serving.world import apply, batch, direction, listed, removed

pytestmark = pytest.mark.anyio


async def replica_of(client: httpx.AsyncClient, product: str) -> dict[str, Any]:
    (replica,) = (await client.get(f"/v1/products/{product}/status")).json()["replicas"]
    found: dict[str, Any] = replica
    return found


async def test_detached_image_leaves_the_products_attributes_as_searches_show_them(
    client: httpx.AsyncClient, searcher: SearcherService
) -> None:
    apply(searcher, removed(batch(), "lamp", images=1, offset=7))  # of its two images the first is detached
    (shown,) = [hit for hit in (await post_vector(client)).json()["results"] if hit["product_id"] == "lamp"]
    replica = await replica_of(client, "lamp")
    assert [image["valid"] for image in replica["images"]].count(True) == 1
    assert (replica["price"], replica["sales"], replica["praise"]) == (10.0, 3, 0.96)
    for name in ("price", "sales", "praise"):
        assert replica[name] == shown[name]
    for name in ("title", "category", "brand", "colour"):
        assert replica["attributes"][name] == shown[name]


async def test_later_price_is_shown_whichever_image_was_detached_when(
    client: httpx.AsyncClient, searcher: SearcherService
) -> None:
    apply(searcher, listed(batch(), "lamp", [direction(1), direction(2), direction(3)], offset=5, price=8.5))
    apply(searcher, removed(batch(), "lamp", images=2, offset=9))
    assert (await replica_of(client, "lamp"))["price"] == 8.5


async def test_removed_product_shows_what_is_known_of_it(client: httpx.AsyncClient, searcher: SearcherService) -> None:
    apply(searcher, removed(batch(), "lamp", images=2, offset=7))
    replica = await replica_of(client, "lamp")
    assert (replica["searchable"], replica["price"], replica["attributes"]) == (False, None, {})
    assert (await replica_of(client, "unheard"))["images"] == []
