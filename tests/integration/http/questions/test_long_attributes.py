"""Products with as much text as an event may have: answers stay small, whole for those shown, and quick to make."""

from __future__ import annotations

import pytest

from schemas.search_pb2 import DetailsRequest, DetailsResponse
from serving.blender.showing.details import MAX_ATTRIBUTES_BYTES
from serving.broker.service import BrokerService
from serving.searcher.service import SearcherService
from tests.support.serving.http_world import ids, over, post_vector, serving
from tests.support.serving.world import apply, batch, direction, listed, near, ready_searcher, removed

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def look_alikes(products: int, images: int, story: int) -> SearcherService:
    deltas = batch()
    for number in range(products):
        vectors = [near(direction(1), number * images + image) for image in range(images)]
        listed(deltas, f"p{number:02}", vectors, title=f"Shoe {number}", story=f"{number:02}" + "x" * story)
    return ready_searcher(deltas=deltas)


async def test_look_alikes_with_endless_texts_are_answered_and_the_answer_is_bounded() -> None:
    async with serving(over(look_alikes(12, 28, 900_000))) as client:
        answer = await post_vector(client, limit=12)
        assert len(set(ids(answer))) == 12
        results = answer.json()["results"]
        assert len(answer.content) < MAX_ATTRIBUTES_BYTES + 100_000
        whole = [result for result in results if "attributes_trimmed" not in result]
        assert [len(result["story"]) for result in whole] == [900_002] * 4
        assert [result["title"] for result in results] == [f"Shoe {int(r['product_id'][1:])}" for r in results]
        assert all(result["price"] is not None for result in results)


async def test_long_attributes_come_whole_with_the_products_that_are_shown() -> None:
    async with serving(over(look_alikes(5, 8, 30_000))) as client:
        results = (await post_vector(client, limit=3)).json()["results"]
    assert [len(result["story"]) for result in results] == [30_002] * 3
    assert not any("attributes_trimmed" in result for result in results)


class Between(BrokerService):
    """Something happens between the search and the question for details."""

    def happens(self, what: object) -> None:
        self._what = what

    async def details(self, request: DetailsRequest, timeout_s: float) -> DetailsResponse:
        self._what()  # type: ignore[operator]
        return await super().details(request, timeout_s)


async def test_a_product_that_is_removed_before_its_details_are_told_is_not_shown() -> None:
    searcher = look_alikes(3, 1, 30_000)
    broker = over(searcher)
    broker.__class__ = Between
    broker.happens(lambda: apply(searcher, removed(batch(), "p01")))  # type: ignore[attr-defined]
    async with serving(broker) as client:
        assert sorted(ids(await post_vector(client))) == ["p00", "p02"]


async def test_a_shard_that_falls_silent_before_the_details_leaves_the_answer_and_says_so() -> None:
    searcher = look_alikes(2, 1, 30_000)
    broker = over(searcher)
    broker.__class__ = Between
    broker.happens(lambda: searcher.fail("stopped"))  # type: ignore[attr-defined]
    async with serving(broker) as client:
        results = (await post_vector(client)).json()["results"]
    assert sorted(result["product_id"] for result in results) == ["p00", "p01"]
    assert all(result["attributes_trimmed"] for result in results)
