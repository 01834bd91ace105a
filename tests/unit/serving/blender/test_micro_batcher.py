from __future__ import annotations

import asyncio

import pytest

from schemas.errors import TransientError
from serving.blender.embedding.batching import MicroBatcher

pytestmark = pytest.mark.anyio


class Work:
    """Doubles numbers; holds every batch until `gate` is set."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.batches: list[list[int]] = []
        self.under_way = self.most_under_way = 0

    async def __call__(self, batch: list[int]) -> list[int]:
        self.batches.append(batch)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await self.gate.wait()
        self.under_way -= 1
        if 13 in batch:
            raise ValueError("13")
        return [2 * number for number in batch]


def batcher(work: Work, max_batch: int = 4, concurrency: int = 1, max_waiting: int = 100) -> MicroBatcher[int, int]:
    return MicroBatcher(
        work, max_batch=max_batch, concurrency=concurrency, max_waiting=max_waiting, observe=lambda _size: None
    )


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_idle_batcher_sends_a_request_at_once_and_busy_one_collects() -> None:
    work = Work()
    queue = batcher(work)
    first = asyncio.create_task(queue.submit(0))
    await settle()
    assert work.batches == [[0]]
    others = [asyncio.create_task(queue.submit(n)) for n in range(1, 7)]
    await settle()
    assert work.batches == [[0]]
    work.gate.set()
    assert await asyncio.gather(first, *others) == [0, 2, 4, 6, 8, 10, 12]
    assert work.batches == [[0], [1, 2, 3, 4], [5, 6]]


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_request_that_follows_an_answer_at_once_is_not_left_lying(concurrency: int) -> None:
    """The batch before has been answered, and whoever ran it is about to end."""
    work = Work()
    work.gate.set()
    queue = batcher(work, max_batch=1, concurrency=concurrency)

    async def follow(first: int) -> list[int]:
        return [await queue.submit(number) for number in range(first, first + 50)]

    async with asyncio.timeout(10):
        assert await asyncio.gather(follow(100), follow(200)) == [
            [2 * number for number in range(first, first + 50)] for first in (100, 200)
        ]


async def test_no_more_batches_than_concurrency_are_under_way() -> None:
    work = Work()
    queue = batcher(work, max_batch=1, concurrency=2)
    tasks = [asyncio.create_task(queue.submit(n)) for n in range(6)]
    await settle()
    assert work.under_way == 2
    work.gate.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8, 10]
    assert work.most_under_way == 2


async def test_error_reaches_its_batch_only_and_the_batcher_goes_on() -> None:
    work = Work()
    work.gate.set()
    queue = batcher(work, max_batch=2)
    outcomes = await asyncio.gather(*(queue.submit(n) for n in (13, 1, 2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ValueError, ValueError, int]
    assert await queue.submit(5) == 10


async def test_caller_that_went_away_is_left_out() -> None:
    work = Work()
    queue = batcher(work)
    first = asyncio.create_task(queue.submit(0))
    await settle()
    gone, stays = asyncio.create_task(queue.submit(1)), asyncio.create_task(queue.submit(2))
    await settle()
    gone.cancel()
    await settle()
    work.gate.set()
    assert await asyncio.gather(first, stays) == [0, 4]
    assert work.batches == [[0], [2]]


async def test_full_queue_refuses_instead_of_growing() -> None:
    work = Work()
    queue = batcher(work, max_waiting=2)
    tasks = [asyncio.create_task(queue.submit(0))]
    await settle()
    tasks += [asyncio.create_task(queue.submit(n)) for n in (1, 2)]
    await settle()
    with pytest.raises(TransientError, match="overloaded"):
        await queue.submit(3)
    work.gate.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4]
