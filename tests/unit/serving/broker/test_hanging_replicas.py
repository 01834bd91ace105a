"""Replicas that hang: put aside, probed, taken back. Searchers are real; a line before each can be held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from schemas.errors import TransientError
from schemas.search_pb2 import (
    ProductRequest,
    ProductResponse,
    SearchRequest,
    SearchResponse,
    StatusRequest,
    StatusResponse,
)
from serving.broker.service import BrokerService
from serving.local import LocalBackend
from serving.searcher.service import SearcherService
from tests.support.serving.broker_world import broker_over
from tests.support.serving.found import hits
from tests.support.serving.world import WATERMARK_MS, apply, batch, direction, listed, query, ready_searcher, removed

pytestmark = pytest.mark.anyio
TIMEOUT_S = 60.0


class Line(LocalBackend):
    """A real searcher behind a line that is held (`open` cleared) as that of a stopped process, or that fails."""

    def __init__(self, searcher: SearcherService) -> None:
        super().__init__(searcher)
        self.searcher = searcher
        self.open = asyncio.Event()
        self.open.set()
        self.fails = False
        self.searches = 0

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        self.searches += 1
        await self.open.wait()
        if self.fails:
            raise TransientError("internal", "it breaks over every query")
        return await super().search(request, timeout_s)

    async def product(self, request: ProductRequest, timeout_s: float) -> ProductResponse:
        await self.open.wait()
        return await super().product(request, timeout_s)

    async def status(self, timeout_s: float, request: StatusRequest | None = None) -> StatusResponse:
        await self.open.wait()
        return await super().status(timeout_s, request)


@asynccontextmanager
async def lines(shards: int, replicas: int, **options: Any) -> AsyncIterator[tuple[BrokerService, list[list[Line]]]]:
    """One product, p, in each shard."""
    rows = [
        [Line(ready_searcher(s, r, listed(batch(), "p", [direction(1)]), shards)) for r in range(replicas)]
        for s in range(shards)
    ]
    broker = broker_over(rows, poll_s=0.02, **options)
    try:
        yield broker, rows
    finally:
        for row in rows:
            for line in row:
                line.open.set()
        await broker.close()


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    for _ in range(6000):
        if await condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within a minute: {what}")


async def missing(broker: BrokerService) -> list[int]:
    return list((await broker.search(query(direction(1)), TIMEOUT_S)).missing_shards)


async def healths(broker: BrokerService) -> list[str]:
    return [entry.health for entry in (await broker.status(TIMEOUT_S)).shards]


async def test_hung_replica_is_put_aside_and_taken_back_while_every_answer_is_whole() -> None:
    async with lines(1, 2, hedge_after_s=0.05) as (broker, [[a, _]]):
        assert await missing(broker) == []
        a.open.clear()

        async def ejected() -> bool:
            assert await missing(broker) == []
            return (await healths(broker)) == ["ejected", "serving"]

        await until(ejected, "ejected")
        asked = a.searches
        for _ in range(20):
            assert await missing(broker) == []
        assert a.searches == asked
        assert broker.metrics.ejected.labels("0", "0")._value.get() == 1
        a.open.set()

        async def serving() -> bool:
            assert await missing(broker) == []
            return (await healths(broker)) == ["serving", "serving"]

        await until(serving, "taken back")
        assert a.searches > asked
        assert broker.metrics.ejected.labels("0", "0")._value.get() == 0
        assert broker.metrics.ejections.labels("0", "0")._value.get() == 1


async def test_hung_shard_without_a_second_replica_is_missing_at_once_until_it_answers() -> None:
    async with lines(2, 1) as (broker, [[a], _]):
        assert await missing(broker) == []
        a.open.clear()
        # Far less than its deadline: the query is let go when the replica is ejected.
        assert await missing(broker) == [0]
        assert await healths(broker) == ["ejected", "serving"]
        asked = a.searches
        for _ in range(50):
            assert await missing(broker) == [0]
        assert a.searches == asked
        a.open.set()

        async def whole() -> bool:
            return await missing(broker) == []

        await until(whole, "whole again")


async def test_receipt_does_not_wait_for_a_replica_that_is_put_aside() -> None:
    async with lines(1, 2) as (broker, [[a, _]]):
        a.open.clear()
        first = await broker.product(ProductRequest(product_id="p"), TIMEOUT_S)
        assert [bool(replica.error) for replica in first.replicas] == [True, False]
        again = await broker.product(ProductRequest(product_id="p"), TIMEOUT_S)
        assert "put aside" in again.replicas[0].error


async def test_replica_whose_queries_fail_is_put_aside_although_its_status_answers() -> None:
    async with lines(1, 2) as (broker, [[a, _]]):
        a.fails = True

        async def ejected() -> bool:
            assert await missing(broker) == []
            return (await healths(broker))[0] == "ejected"

        await until(ejected, "ejected")


async def test_slow_replica_that_answers_is_never_put_aside() -> None:
    async with lines(1, 1) as (broker, [[a]]):
        for _ in range(4):
            a.open.clear()
            work = asyncio.create_task(missing(broker))
            await asyncio.sleep(0.4)  # longer than what makes it suspect
            a.open.set()
            assert await work == []
        assert broker.metrics.ejections._metrics == {}


async def test_replica_that_is_behind_after_a_pause_is_not_asked_before_it_caught_up() -> None:
    async with lines(1, 2, hedge_after_s=TIMEOUT_S) as (broker, [[a, b]]):
        apply(b.searcher, removed(batch(timestamp_ms=WATERMARK_MS + 60_000), "p", offset=3))

        async def behind() -> bool:
            return [entry.watermark_ms for entry in (await broker.status(TIMEOUT_S)).shards] == [
                WATERMARK_MS, WATERMARK_MS + 60_000,
            ]  # fmt: skip

        await until(behind, "the broker has heard of it")
        asked = a.searches
        for _ in range(6):
            answer = await broker.search(query(direction(1)), TIMEOUT_S)
            assert list(hits(answer)) == []  # removed, by the one that knows
        assert a.searches == asked
