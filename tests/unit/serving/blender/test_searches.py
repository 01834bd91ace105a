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
from serving.blender.asking.searching import NOTHING_ELSE, Aim, Query, Searches, Wanted
from serving.blender.metrics import BlenderMetrics
from serving.local import LocalBackend
from tests.support.serving.world import EXTRACTOR, batch, direction, listed, ready_searcher

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
