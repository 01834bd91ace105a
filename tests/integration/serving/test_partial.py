"""Shards and replicas that die: answers say what is missing, and another replica takes over. Real gRPC servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import grpc.aio
import pytest

from schemas.errors import TransientError
from schemas.search_pb2 import ProductRequest
from serving.broker.service import BrokerService
from serving.grpc_api import GrpcBackend, start_server
from serving.local import LocalBackend
from serving.searcher.service import SearcherService
from tests.support.serving.broker_world import broker_over
from tests.support.serving.found import hits
from tests.support.serving.world import (
    WATERMARK_MS,
    apply,
    batch,
    direction,
    listed,
    near,
    product_of_shard,
    query,
    ready_searcher,
    removed,
    revive,
)

TIMEOUT_S = 5.0
SHARDS, REPLICAS = 2, 2
PRODUCTS = [product_of_shard(shard, SHARDS) for shard in range(SHARDS)]

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Tier:
    """A broker over `SHARDS` x `REPLICAS` searchers, each behind a gRPC server of its own."""

    def __init__(self) -> None:
        self.searchers: list[list[SearcherService]] = []
        self.servers: list[list[grpc.aio.Server]] = []
        self.broker: BrokerService

    async def start(self, stack: AsyncExitStack) -> None:
        remotes = []
        for shard in range(SHARDS):
            self.searchers.append([])
            self.servers.append([])
            remotes.append([])
            for replica in range(REPLICAS):
                deltas = listed(batch(timestamp_ms=WATERMARK_MS + shard), PRODUCTS[shard], [near(direction(1), shard)])
                searcher = ready_searcher(shard, replica, deltas, SHARDS)
                local = LocalBackend(searcher)
                server, port = await start_server(local, "127.0.0.1", 0)
                stack.push_async_callback(local.close)
                stack.push_async_callback(server.stop, None)
                self.searchers[shard].append(searcher)
                self.servers[shard].append(server)
                remotes[shard].append(GrpcBackend(f"127.0.0.1:{port}"))
        self.broker = broker_over(remotes)
        stack.push_async_callback(self.broker.close)

    async def found(self) -> set[str]:
        answer = await self.broker.search(query(direction(1)), TIMEOUT_S)
        return {hit.product_id for hit in hits(answer)}


@pytest.fixture
async def tier() -> AsyncIterator[Tier]:
    async with AsyncExitStack() as stack:
        tier = Tier()
        await tier.start(stack)
        yield tier


async def test_shards_are_merged_and_the_watermark_is_the_least(tier: Tier) -> None:
    answer = await tier.broker.search(query(direction(1)), TIMEOUT_S)
    best, second = hits(answer)
    assert {best.product_id, second.product_id} == set(PRODUCTS)
    assert best.score >= second.score
    assert answer.watermark_ms == WATERMARK_MS
    assert list(answer.missing_shards) == []


async def test_limit_holds_over_all_shards(tier: Tier) -> None:
    answer = await tier.broker.search(query(direction(1), limit=1), TIMEOUT_S)
    assert len(hits(answer)) == 1


async def test_dead_replica_costs_no_answer(tier: Tier) -> None:
    for shard in range(SHARDS):
        await tier.servers[shard][0].stop(None)
    for _ in range(2 * REPLICAS):  # whichever replica's turn it is
        assert await tier.found() == set(PRODUCTS)


async def test_dead_shard_is_named_and_the_rest_is_answered(tier: Tier) -> None:
    for server in tier.servers[1]:
        await server.stop(None)
    answer = await tier.broker.search(query(direction(1)), TIMEOUT_S)
    assert list(answer.missing_shards) == [1]
    assert {hit.product_id for hit in hits(answer)} == {PRODUCTS[0]}


async def test_no_shard_left_is_an_error_not_an_empty_answer(tier: Tier) -> None:
    for servers in tier.servers:
        for server in servers:
            await server.stop(None)
    with pytest.raises(TransientError) as caught:
        await tier.broker.search(query(direction(1)), TIMEOUT_S)
    assert caught.value.reason == "not_ready"


async def test_searcher_that_comes_back_is_asked_again(tier: Tier) -> None:
    tier.searchers[0][0].fail("killed")
    tier.searchers[0][1].fail("killed")
    answer = await tier.broker.search(query(direction(1)), TIMEOUT_S)
    assert list(answer.missing_shards) == [0]
    revive(tier.searchers[0][1])
    assert await tier.found() == set(PRODUCTS)


async def test_receipt_shows_every_replica_and_which_did_not_answer(tier: Tier) -> None:
    apply(tier.searchers[0][0], removed(batch(), PRODUCTS[0]))
    answer = await tier.broker.product(ProductRequest(product_id=PRODUCTS[0]), TIMEOUT_S)
    assert [[image.searchable for image in replica.images] for replica in answer.replicas] == [[False], [True]]
    await tier.servers[0][1].stop(None)
    answer = await tier.broker.product(ProductRequest(product_id=PRODUCTS[0]), TIMEOUT_S)
    assert [(replica.replica, bool(replica.error)) for replica in answer.replicas] == [(0, False), (1, True)]


async def test_status_lists_every_replica_dead_ones_too(tier: Tier) -> None:
    await tier.servers[1][0].stop(None)
    status = await tier.broker.status(TIMEOUT_S)
    assert [(s.shard, s.replica, s.ready) for s in status.shards] == [
        (0, 0, True), (0, 1, True), (1, 0, False), (1, 1, True)
    ]  # fmt: skip
    assert status.shards[2].error
