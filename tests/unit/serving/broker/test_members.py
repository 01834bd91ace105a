"""Searchers that a file names: they join and leave while the broker answers. Searchers are real."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.errors import OperatorError, TransientError
from schemas.search_pb2 import SearchRequest, SearchResponse, StatusRequest, StatusResponse
from serving.broker.members import NamedInFile
from serving.broker.service import BrokerService
from serving.local import LocalBackend
from tests.support.serving.found import hits
from tests.support.serving.world import batch, direction, listed, query, ready_searcher

TIMEOUT_S = 20.0


def write(file: Path, *shards: list[str]) -> None:
    """As a careful writer does: whole, under the old name."""
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(shards))
    beside.rename(file)


class Searcher(LocalBackend):
    """One replica of shard 0, product p in it. `alive`: else nothing listens there. `open`: else it hangs."""

    def __init__(self, number: int) -> None:
        super().__init__(ready_searcher(0, number, listed(batch(), "p", [direction(1)]), 1))
        self.alive = True
        self.closed = False
        self.open = asyncio.Event()
        self.open.set()
        self.searches = 0

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        self.searches += 1
        if not self.alive:
            raise TransientError("unreachable", "nobody listens")
        await self.open.wait()
        return await super().search(request, timeout_s)

    async def status(self, timeout_s: float, request: StatusRequest | None = None) -> StatusResponse:
        await self.open.wait()
        return await super().status(timeout_s, request)

    async def close(self) -> None:
        self.closed = True
        await super().close()


@asynccontextmanager
async def following(file: Path, searchers: dict[str, Searcher]) -> AsyncIterator[BrokerService]:
    members = NamedInFile(file)
    broker = BrokerService(lambda shard, number: searchers[members.address(shard, number)], 1, members, poll_s=0.01)
    try:
        yield broker
    finally:
        await broker.close()


async def answered(broker: BrokerService) -> list[str]:
    answer = await broker.search(query(direction(1)), TIMEOUT_S)
    assert list(answer.missing_shards) == []
    return [hit.product_id for hit in hits(answer)]


async def asked(broker: BrokerService, searcher: Searcher) -> None:
    """Queries until it has answered one of them."""
    before = searcher.searches
    for _ in range(3000):
        assert await answered(broker) == ["p"]
        if searcher.searches > before:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it is never asked")


@pytest.mark.anyio
async def test_replica_joins_and_another_leaves_under_queries(tmp_path: Path) -> None:
    file = tmp_path / "searchers.json"
    searchers = {f"s{number}:1": Searcher(number) for number in range(3)}
    write(file, ["s0:1", "s1:1"])
    async with following(file, searchers) as broker:
        await asked(broker, searchers["s0:1"])
        write(file, ["s1:1", "s2:1"])
        await asked(broker, searchers["s2:1"])
        searchers["s0:1"].alive = False  # it left first, and then ended: nobody may notice
        before = searchers["s0:1"].searches
        for _ in range(30):
            assert await answered(broker) == ["p"]
        assert searchers["s0:1"].searches == before
        status = await broker.status(TIMEOUT_S)
        assert [entry.error for entry in status.shards] == ["", ""]
        assert not searchers["s0:1"].closed, "calls may be under way"
        # It comes back under the number that it had.
        searchers["s0:1"].alive = True
        write(file, ["s0:1", "s1:1", "s2:1"])
        await asked(broker, searchers["s0:1"])
    assert all(searcher.closed for searcher in searchers.values())


@pytest.mark.anyio
async def test_silent_replica_that_leaves_is_missed_by_nobody(tmp_path: Path) -> None:
    file = tmp_path / "searchers.json"
    searchers = {f"s{number}:1": Searcher(number) for number in range(2)}
    write(file, ["s0:1", "s1:1"])
    async with following(file, searchers) as broker:

        async def ejected(expected: float) -> None:
            for _ in range(3000):
                assert await answered(broker) == ["p"]
                labels = {"shard": "0", "replica": "0"}
                if broker.metrics.registry.get_sample_value("vitrine_broker_replica_ejected", labels) == expected:
                    return
                await asyncio.sleep(0.01)
            raise AssertionError(f"the metric is never {expected}")

        await asked(broker, searchers["s0:1"])
        searchers["s0:1"].open.clear()
        await ejected(1.0)
        write(file, ["s1:1"])
        await ejected(0.0)
        searchers["s0:1"].open.set()


@pytest.mark.anyio
async def test_file_that_cannot_be_used_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "searchers.json"
    searchers = {"s0:1": Searcher(0), "s1:1": Searcher(1)}
    write(file, ["s0:1"])
    async with following(file, searchers) as broker:
        await asked(broker, searchers["s0:1"])
        for broken in ('[["s1:1"', '[["s1"]]', '[["s1:1", "s1:1"]]', '{"0": ["s1:1"]}'):
            file.write_text(broken)
            await asyncio.sleep(0.05)
            assert await answered(broker) == ["p"]
        file.unlink()
        await asyncio.sleep(0.05)
        assert await answered(broker) == ["p"]
        assert searchers["s1:1"].searches == 0
        assert {"no host:port", "twice"} <= {
            word for word in ("no host:port", "twice") if any(word in record.message for record in caplog.records)
        }
        write(file, ["s1:1"])
        await asked(broker, searchers["s1:1"])


@pytest.mark.anyio
async def test_shard_that_nobody_holds_is_missing_and_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "searchers.json"
    searchers = {"s0:1": Searcher(0)}
    write(file, [])
    async with following(file, searchers) as broker:
        with pytest.raises(TransientError, match="no shard answered"):
            await broker.search(query(direction(1)), 1.0)
        write(file, ["s0:1"])
        for _ in range(1000):
            try:
                assert await answered(broker) == ["p"]
                return
            except TransientError:
                await asyncio.sleep(0.01)
        raise AssertionError("it is never found")


def test_broker_does_not_begin_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"searchers\.json cannot be read"):
        NamedInFile(tmp_path / "searchers.json")
