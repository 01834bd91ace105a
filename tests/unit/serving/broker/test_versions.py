"""A searcher of the version before, whose bytes know no filter, among those of this one: its answer is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import TransientError
from schemas.query.filters import AnyOf, encode_filter
from schemas.search_pb2 import SearchRequest, SearchResponse
from serving.backend import VERSION
from serving.local import LocalBackend
from tests.support.serving.broker_world import broker_over
from tests.support.serving.found import hits
from tests.support.serving.world import batch, direction, listed, product_of_shard, query, ready_searcher

pytestmark = pytest.mark.anyio
TIMEOUT_S = 20.0
OLD = (Path(__file__).parents[2] / "schemas/golden/search_response.0.pb").read_bytes()
"""What such a searcher sends for one vector: the product `red` of the brand Acme, and no word of a filter."""


class SearcherOfBefore(LocalBackend):
    """Holds what a searcher holds, and answers every query for a vector by the same bytes."""

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        return SearchResponse.FromString(OLD)


def filtered(brand: str, *, explain: bool = False) -> SearchRequest:
    request = query(direction(1))
    request.filter = encode_filter(AnyOf("brand", (brand,)))
    request.explain = explain
    return request


async def test_filtered_query_is_partial_where_a_searcher_knows_no_filter() -> None:
    mine = product_of_shard(1, 2)
    old = SearcherOfBefore(ready_searcher(0, shards=2))
    new = LocalBackend(ready_searcher(1, 0, listed(batch(), mine, [direction(1)], brand="Nord"), 2))
    broker = broker_over([[old], [new]])
    answer = await broker.search(filtered("Nord", explain=True), TIMEOUT_S)
    assert [hit.product_id for hit in hits(answer)] == [mine]
    assert list(answer.missing_shards) == [0]
    assert any(line.startswith("shard 0: no answer (other_version: searcher 0-0 ") for line in answer.plan)
    tries = broker.metrics.registry.get_sample_value("vitrine_broker_second_tries_total", {"why": "other_version"})
    assert tries == 1
    await broker.close()


async def test_filtered_query_goes_to_the_replica_that_knows_filters() -> None:
    old = SearcherOfBefore(ready_searcher(0, 0))
    new = LocalBackend(ready_searcher(0, 1, listed(batch(), "blue", [direction(1)], brand="Nord")))
    broker = broker_over([[old, new]])
    for _ in range(2):
        answer = await broker.search(filtered("Nord"), TIMEOUT_S)
        assert [hit.product_id for hit in hits(answer)] == ["blue"]
        assert (list(answer.missing_shards), answer.version) == ([], VERSION)
    await broker.close()


async def test_where_no_searcher_knows_filters_the_error_says_so() -> None:
    broker = broker_over([[SearcherOfBefore(ready_searcher())]])
    with pytest.raises(TransientError, match=r"not_ready.*other_version.*vitrine stop"):
        await broker.search(filtered("Acme"), TIMEOUT_S)
    plain = await broker.search(query(direction(1)), TIMEOUT_S)
    assert [hit.product_id for hit in hits(plain)] == ["red"], "the nearest images are what it knows"
    assert plain.version == 0
    await broker.close()
