"""From the blender to the backend: queries that travel together fail alone, and an answer of an old version is told."""

from __future__ import annotations

import asyncio
import time

import pytest

from schemas.errors import RejectedError, TransientError
from schemas.found import encode_found, merge_listed
from schemas.query.facets import FacetWanted, encode_wanted
from schemas.query.filters import AnyOf, encode_filter
from schemas.search_pb2 import Found, SearchRequest, SearchResponse
from serving.blender.asking.searching import MOST_SHARED, NOTHING_ELSE, Aim, Query, Searches, Wanted
from serving.blender.metrics import BlenderMetrics
from serving.local import LocalBackend, Searcher
from tests.support.serving.broker_world import broker_over
from tests.support.serving.world import EXTRACTOR, batch, direction, listed, product_of_shard, ready_searcher

pytestmark = pytest.mark.anyio


class BackendOfTheVersionBefore(LocalBackend):
    """Knows vectors and limits; what was added to a request since, it passes over."""

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        if not request.count:
            return SearchResponse(found=Found(), extractor_id=EXTRACTOR)
        old = SearchRequest(vectors=request.vectors, count=request.count, limit=request.limit)
        answer = await super().search(old, timeout_s)
        answer.ClearField("version")
        return answer


def searches(kind: type[LocalBackend] = LocalBackend) -> Searches:
    return Searches(kind(ready_searcher(deltas=listed(batch(), "lamp", [direction(1)]))), BlenderMetrics())


def near(wanted: Wanted = NOTHING_ELSE, generation: str = "") -> Query:
    return Query(direction(1).tobytes(), 3, Aim(EXTRACTOR, generation), time.monotonic() + 5, wanted)


def by_words(words: str) -> Query:
    return Query(b"", 3, Aim(EXTRACTOR), time.monotonic() + 5, Wanted(words=words, list_limit=3))


async def test_question_that_is_refused_fails_none_that_travels_with_it() -> None:
    asked = searches()
    outcomes = await asyncio.gather(
        *(
            asked.all([query])
            for query in (by_words("word " * 33), near(), near(generation="nobody's"), by_words("lamp"))
        ),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], RejectedError)
    assert isinstance(outcomes[2], TransientError)
    assert [hit.product_id for hit in outcomes[1][0].hits] == ["lamp"]  # type: ignore[index]
    assert [hit.product_id for hit in outcomes[3][0].listed] == ["lamp"]  # type: ignore[index]


async def test_plain_search_is_answered_by_the_version_before() -> None:
    (found,) = await searches(BackendOfTheVersionBefore).all([near()])
    assert [hit.product_id for hit in found.hits] == ["lamp"]


async def test_question_that_the_version_before_passes_over_is_no_empty_page() -> None:
    asked = searches(BackendOfTheVersionBefore)
    of_nobody = encode_filter(AnyOf("brand", ("Nobody",)))
    facets = encode_wanted([FacetWanted("brand")])
    for query in (by_words("lamp"), near(Wanted(facets=facets)), near(Wanted(filter=of_nobody))):
        with pytest.raises(TransientError, match=r"other_version.*vitrine stop"):
            await asked.all([query])


def test_shard_without_a_list_among_others_is_told() -> None:
    with pytest.raises(TransientError, match="other_version"):
        merge_listed([encode_found([[]]), Found()], 10)


class CountedBackend(LocalBackend):
    """Counts the questions of each call."""

    def __init__(self, searcher: Searcher) -> None:
        super().__init__(searcher)
        self.calls: list[int] = []

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        self.calls.append(max(1, len(request.questions)))
        return await super().search(request, timeout_s)


async def test_different_questions_share_calls_and_each_is_answered_for_itself() -> None:
    names = [f"lamp{number}" for number in range(MOST_SHARED + 3)]
    deltas = batch()
    for name in names:
        listed(deltas, name, [direction(1)])
    backend = CountedBackend(ready_searcher(deltas=deltas))
    asked = Searches(backend, BlenderMetrics())
    found = await asyncio.gather(*(asked.all([by_words(f"{name} ")]) for name in names), asked.all([near()]))
    assert [[hit.product_id for hit in one[0].listed] for one in found[:-1]] == [[name] for name in names]
    assert len(found[-1][0].hits) == 3
    # Who asks for nothing but what is near waits for nobody's words.
    assert sorted(backend.calls) == [1, 3, MOST_SHARED]


async def test_broker_answers_several_questions_as_it_answers_each_alone() -> None:
    deltas = [batch(), batch()]
    for number in range(12):
        name = product_of_shard(number % 2, 2, f"lamp{number}-")
        listed(deltas[number % 2], name, [direction(number)], price=float(number), title=f"lamp of {number % 3}")
    broker = broker_over([[LocalBackend(ready_searcher(shard, 0, deltas[shard], 2))] for shard in range(2)])
    questions = [
        SearchRequest(words="lamp 1 ", list_limit=5),
        SearchRequest(words="lamp", list_limit=20, order_by="-price", explain=True),
        SearchRequest(listing=True, list_limit=3, facets=encode_wanted([FacetWanted("brand")])),
    ]
    together = await broker.search(SearchRequest(questions=questions), 5.0)
    alone = [await broker.search(question, 5.0) for question in questions]
    await broker.close()
    assert len(together.answers) == 3 and [len(each.listed.product_ids) for each in alone] == [4, 12, 3]
    for one, other in zip(together.answers, alone, strict=True):
        other.ClearField("search_ms")
        assert one == other
    assert (together.watermark_ms, list(together.missing_shards)) == (alone[0].watermark_ms, [])
