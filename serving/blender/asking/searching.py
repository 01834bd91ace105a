"""From the blender to the backend: queries of many shoppers in one call, each back at its asker by its deadline."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.errors import RejectedError, TransientError
from schemas.found import Hit, decode_found
from schemas.search_pb2 import SearchRequest, SearchResponse
from serving.backend import OVERDUE, SearchBackend, check_applied
from serving.blender.embedding.batching import MicroBatcher
from serving.blender.metrics import BlenderMetrics

MAX_BATCH = 32
MAX_WAITING = 2048
MOST_SHARED = 8
"""Questions of one call: of what a call costs by itself an eighth is little, and nobody waits for more than seven."""


@dataclass(frozen=True, slots=True)
class Aim:
    """Vectors of which extractor are sent, and the generation to ask; "": the one that serves."""

    extractor_id: str
    generation: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for besides the nearest images; the names are those of `SearchRequest`."""

    filter: bytes = b""
    facets: bytes = b""
    words: str = ""
    any_word: bool = False
    listing: bool = False
    order_by: str = ""
    list_limit: int = 0
    with_vectors: bool = False
    explain: bool = False


NOTHING_ELSE = Wanted()


@dataclass(frozen=True, slots=True)
class Query:
    """`vector`: little-endian float32, b"" where none is searched with. `images`: wanted near it.

    `deadline`: of `time.monotonic`; it travels on as the time that is left for each call.
    """

    vector: bytes
    images: int
    aim: Aim
    deadline: float
    wanted: Wanted = NOTHING_ELSE


@dataclass(frozen=True, slots=True)
class Found:
    """`hits`: near the query's vector, best first; `listed`: of its words or filter; `answer`: the call's."""

    hits: list[Hit]
    listed: list[Hit]
    answer: SearchResponse


class Searches:
    """Asks the backend; queries that wait for one another go as one call. Lives on one event loop."""

    def __init__(self, backend: SearchBackend, metrics: BlenderMetrics) -> None:
        self._backend = backend
        self._batcher: MicroBatcher[Query, Found] = MicroBatcher(
            self._ask, max_batch=MAX_BATCH, concurrency=2, max_waiting=MAX_WAITING, observe=metrics.search_batch.observe
        )

    async def all(self, queries: Sequence[Query]) -> list[Found]:
        """What was found for each; `TransientError('overdue', ...)` at their deadline, however long others wait."""
        left_s = queries[0].deadline - time.monotonic()
        try:
            async with asyncio.timeout(left_s):
                return await asyncio.gather(*(self._batcher.submit(query) for query in queries))
        except TimeoutError as error:
            raise TransientError(OVERDUE, "no answer in time; GET /v1/index says what is slow or silent") from error

    async def _ask(self, queries: list[Query]) -> list[Found | Exception]:
        """Queries that differ in their vectors alone are one question; questions of one aim share a call.

        A call that fails concerns its own queries alone.
        """
        alike: dict[tuple[int, Aim, Wanted, bool], list[int]] = defaultdict(list)
        for position, query in enumerate(queries):
            alike[query.images, query.aim, query.wanted, bool(query.vector)].append(position)
        calls: dict[tuple[Aim, bool, bool], list[list[int]]] = defaultdict(list)
        for (_, aim, wanted, by_vector), positions in alike.items():
            # Plain ones wait for nobody's words and counts.
            calls[aim, by_vector, wanted is NOTHING_ELSE].append(positions)
        shared = [
            each[start : start + MOST_SHARED] for each in calls.values() for start in range(0, len(each), MOST_SHARED)
        ]
        answers = await asyncio.gather(
            *(self._call([[queries[position] for position in positions] for positions in each]) for each in shared),
            return_exceptions=True,
        )
        found: dict[int, Found | Exception] = {}
        for groups, answer in zip(shared, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, Exception):
                raise answer
            of_groups = [answer] * len(groups) if isinstance(answer, Exception) else answer
            for positions, of_group in zip(groups, of_groups, strict=True):
                each = [of_group] * len(positions) if isinstance(of_group, Exception) else of_group
                found |= zip(positions, each, strict=True)
        return [found[position] for position in range(len(queries))]

    async def _call(self, groups: list[list[Query]]) -> list[list[Found] | Exception]:
        """Of each question, the queries of which differ in their vectors alone, what was found for these."""
        left_s = max(0.0, max(query.deadline for group in groups for query in group) - time.monotonic())
        requests = [_request(group) for group in groups]
        if len(groups) == 1:
            return [_found(groups[0], await self._answer(requests[0], left_s))]
        together = SearchRequest(
            questions=requests, extractor_id=requests[0].extractor_id, generation=requests[0].generation
        )
        try:
            answer = await self._answer(together, left_s)
        except RejectedError:
            # One of them cannot be answered, and only who asked it is to hear of it.
            alone = await asyncio.gather(*(self._call([group]) for group in groups), return_exceptions=True)
            return [_one_of(each) for each in alone]
        return [_found(group, each) for group, each in zip(groups, answer.answers, strict=True)]

    async def _answer(self, request: SearchRequest, left_s: float) -> SearchResponse:
        answer = await self._backend.search(request, left_s)
        check_applied(request, answer, "the broker")
        return answer


def _one_of(outcome: list[list[Found] | Exception] | BaseException) -> list[Found] | Exception:
    """Of a call of one question."""
    if isinstance(outcome, BaseException):
        if not isinstance(outcome, Exception):
            raise outcome
        return outcome
    return outcome[0]


def _found(queries: list[Query], answer: SearchResponse) -> list[Found]:
    listed = decode_found(answer.listed, 1)[0] if answer.listed.counts else []
    hits = decode_found(answer.found, len(queries)) if queries[0].vector else [[] for _ in queries]
    return [Found(near, listed, answer) for near in hits]


def _request(queries: list[Query]) -> SearchRequest:
    images, aim, wanted = queries[0].images, queries[0].aim, queries[0].wanted
    vectors = [query.vector for query in queries if query.vector]
    request = SearchRequest(
        vectors=b"".join(vectors),
        count=len(vectors),
        limit=images,
        extractor_id=aim.extractor_id if vectors else "",
        generation=aim.generation,
    )
    if wanted is not NOTHING_ELSE:
        request.filter, request.facets = wanted.filter, wanted.facets
        request.words, request.any_word, request.listing = wanted.words, wanted.any_word, wanted.listing
        request.order_by, request.list_limit = wanted.order_by, wanted.list_limit
        request.with_vectors, request.explain = wanted.with_vectors, wanted.explain
    return request
