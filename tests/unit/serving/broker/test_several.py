"""Several brokers that are the same: asked in turn, and the next one where one fails. Searchers are real."""

from __future__ import annotations

import asyncio

import pytest

from schemas.errors import RejectedError, TransientError
from schemas.search_pb2 import SearchRequest, SearchResponse, StatusRequest, StatusResponse
from serving.guarded import Guarded
from serving.local import LocalBackend
from serving.several import Several
from tests.support.serving.found import hits
from tests.support.serving.world import batch, direction, listed, query, ready_searcher

pytestmark = pytest.mark.anyio
TIMEOUT_S = 20.0


class Broker(LocalBackend):
    """Something that answers, behind a line that is cut (`dead`) or held (`open` cleared)."""

    def __init__(self) -> None:
        super().__init__(ready_searcher(0, 0, listed(batch(), "p", [direction(1)]), 1))
        self.dead = False
        self.open = asyncio.Event()
        self.open.set()
        self.searches = 0
        self.askers: set[str] = set()

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        self.searches += 1
        await self._line()
        return await super().search(request, timeout_s)

    async def status(self, timeout_s: float, request: StatusRequest | None = None) -> StatusResponse:
        self.askers.add(request.asker if request is not None else "")
        await self._line()
        return await super().status(timeout_s, request)

    async def _line(self) -> None:
        if self.dead:
            raise TransientError("unreachable", "nobody listens")
        await self.open.wait()


def two(confirm_s: float = 0.2) -> tuple[Several, list[Broker]]:
    brokers = [Broker(), Broker()]
    return Several([Guarded(each, "a broker", slow_s=0.05, confirm_s=confirm_s) for each in brokers]), brokers


async def answered(several: Several) -> bool:
    answer = await several.search(query(direction(1)), TIMEOUT_S)
    return [hit.product_id for hit in hits(answer)] == ["p"]


async def test_both_are_asked_and_both_hear_who_asks() -> None:
    several, brokers = two()
    for _ in range(4):
        assert await answered(several)
        await several.status(TIMEOUT_S, StatusRequest(asker="blender-1"))
    assert [broker.searches for broker in brokers] == [2, 2]
    assert all("blender-1" in broker.askers for broker in brokers)
    await several.close()


async def test_dead_one_costs_no_answer() -> None:
    several, brokers = two()
    brokers[0].dead = True
    for _ in range(6):
        assert await answered(several)
    brokers[0].dead, brokers[1].dead = False, True
    for _ in range(6):
        assert await answered(several)
    await several.close()


async def test_hung_one_is_put_aside_and_its_calls_are_answered_by_the_other() -> None:
    several, brokers = two()
    brokers[0].open.clear()
    assert all(await asyncio.gather(*(answered(several) for _ in range(8))))
    before = brokers[0].searches
    for _ in range(6):
        assert await answered(several)
    assert brokers[0].searches == before
    brokers[0].open.set()
    for _ in range(500):
        assert await answered(several)
        if brokers[0].searches > before:
            break
        await asyncio.sleep(0.01)
    assert brokers[0].searches > before, "it is never taken back"
    await several.close()


async def test_when_all_are_dead_that_is_said_and_not_waited_for() -> None:
    several, brokers = two()
    for broker in brokers:
        broker.dead = True
    for _ in range(20):
        with pytest.raises(TransientError, match=r"nobody listens|put aside"):
            await several.search(query(direction(1)), TIMEOUT_S)
    await several.close()


async def test_refusal_is_an_answer_and_is_asked_for_once() -> None:
    several, brokers = two()
    request = query(direction(1), extractor_id="other_encoder-0000beef-p1-8")
    with pytest.raises(RejectedError):
        await several.search(request, TIMEOUT_S)
    assert sum(broker.searches for broker in brokers) == 1
    await several.close()
