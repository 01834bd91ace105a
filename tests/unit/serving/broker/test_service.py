"""Which replica the broker asks, and when. Searchers are real; how they are reached is scripted."""

from __future__ import annotations

import asyncio

import pytest

from indexing.look.looks import Untuned
from indexing.shard.shard import Shard
from schemas.errors import RejectedError, TransientError
from schemas.search_pb2 import SearchRequest, SearchResponse
from serving.backend import SearchBackend
from serving.broker.service import BrokerService
from serving.local import LocalBackend
from serving.searcher.service import SearcherService
from tests.support.serving.broker_world import broker_over
from tests.support.serving.found import hits
from tests.support.serving.world import DIMENSION, EXTRACTOR, batch, direction, listed, query, ready_searcher

pytestmark = pytest.mark.anyio
TIMEOUT_S = 20.0


class Replica(LocalBackend):
    """A real searcher behind a line that can be slow or dead."""

    def __init__(self, searcher: SearcherService, name: str, calls: list[str]) -> None:
        super().__init__(searcher)
        self._name, self._calls = name, calls
        self.hangs = self.dead = self.cancelled = False

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        self._calls.append(self._name)
        if self.dead:
            raise TransientError("unreachable", self._name)
        if self.hangs:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        return await super().search(request, timeout_s)


def replicas(*names: str, shard: int = 0, shards: int = 1) -> tuple[list[Replica], list[str]]:
    calls: list[str] = []

    def replica(number: int, name: str) -> Replica:
        return Replica(ready_searcher(shard, number, listed(batch(), "p", [direction(1)]), shards), name, calls)

    return [replica(number, name) for number, name in enumerate(names)], calls


async def products(broker: BrokerService, timeout_s: float = TIMEOUT_S) -> list[str]:
    answer = await broker.search(query(direction(1)), timeout_s)
    return [hit.product_id for hit in hits(answer)]


async def test_replicas_take_turns() -> None:
    (a, b), calls = replicas("a", "b")
    broker = broker_over([[a, b]])
    for _ in range(4):
        assert await products(broker) == ["p"]
    assert calls == ["a", "b", "a", "b"]
    await broker.close()


async def test_slow_replica_is_overtaken_by_another_and_let_go() -> None:
    (a, b), calls = replicas("a", "b")
    a.hangs = True
    broker = broker_over([[a, b]], hedge_after_s=0.02)
    assert await products(broker) == ["p"]
    assert calls == ["a", "b"]
    assert a.cancelled
    await broker.close()


async def test_replica_that_failed_is_asked_last_for_a_while() -> None:
    (a, b), calls = replicas("a", "b")
    a.dead = True
    broker = broker_over([[a, b]])
    for _ in range(3):
        assert await products(broker) == ["p"]
    assert calls == ["a", "b", "b", "b"]
    await broker.close()


async def test_shard_that_hangs_is_left_out_within_the_deadline() -> None:
    (a,), _ = replicas("a", shards=2)
    (b,), _ = replicas("b", shard=1, shards=2)
    a.hangs = True
    broker = broker_over([[a], [b]], hedge_after_s=0.01)
    answer = await broker.search(query(direction(1)), 0.5)
    assert list(answer.missing_shards) == [0]
    assert [hit.product_id for hit in hits(answer)] == ["p"]
    assert a.cancelled
    await broker.close()


async def test_rejected_query_is_not_tried_elsewhere() -> None:
    (a, b), calls = replicas("a", "b")
    broker = broker_over([[a, b]])
    with pytest.raises(RejectedError, match="invalid_query"):
        await broker.search(query(direction(1)[:-1]), TIMEOUT_S)
    assert calls == ["a"]
    await broker.close()


async def test_unknown_watermark_of_one_shard_is_the_answers() -> None:
    known: list[SearchBackend] = [LocalBackend(ready_searcher(shards=2))]
    searcher = SearcherService(1, 0, Untuned(EXTRACTOR, DIMENSION), shards=2)
    searcher.begin(Shard(EXTRACTOR, DIMENSION))
    searcher.ready()
    broker = broker_over([known, [LocalBackend(searcher)]])
    answer = await broker.search(query(direction(1)), TIMEOUT_S)
    assert answer.watermark_ms == 0
    await broker.close()
