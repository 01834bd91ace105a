"""A query's deadline counts from its arrival: behind a backend that hangs nobody waits for others' time-outs too."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from schemas.errors import TransientError
from schemas.search_pb2 import SearchRequest, SearchResponse
from serving.backend import OVERDUE
from serving.blender import service
from serving.blender.asking import searching
from serving.local import LocalBackend
from serving.searcher.service import SearcherService
from tests.support.serving.http_world import error, post_vector, serving

pytestmark = pytest.mark.anyio


class Hanging(LocalBackend):
    """Answers no search; keeps the time that each was given."""

    def __init__(self, searcher: SearcherService) -> None:
        super().__init__(searcher)
        self.given_s: list[float] = []

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        self.given_s.append(timeout_s)
        await asyncio.sleep(timeout_s)
        raise TransientError(OVERDUE, "it hangs")


async def test_queries_that_wait_for_a_batch_have_no_more_time_than_those_in_it(
    searcher: SearcherService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TIMEOUT_S", 2.0)
    monkeypatch.setattr(searching, "MAX_BATCH", 1)
    backend = Hanging(searcher)
    async with serving(backend) as client:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=client.base_url, timeout=120, limits=limits) as many:
            answers = await asyncio.gather(*(post_vector(many) for _ in range(12)))
    for answer in answers:
        assert error(answer) == (504, "overdue")
        assert answer.headers["retry-after"]
    # Two at a time are asked for at once; what waits behind them is overdue with them, or has next to no time left.
    assert sum(backend.given_s) <= 2 * 2.0 + 12 * 0.5
