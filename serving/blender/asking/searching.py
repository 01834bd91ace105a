"""From the blender to the backend: queries of many shoppers in one call, each back at its asker by its deadline."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.errors import TransientError
from schemas.found import Hit, decode_found
from schemas.search_pb2 import SearchRequest, SearchResponse
from serving.backend import OVERDUE, SearchBackend, check_applied
from serving.blender.embedding.batching import MicroBatcher
from serving.blender.metrics import BlenderMetrics

MAX_BATCH = 32
MAX_WAITING = 2048


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
        """One call per number of images asked for, aim, and what else is wanted; nearly always that is one call.

        A call that fails concerns its own queries alone.
        """
        groups: dict[tuple[int, Aim, Wanted, bool], list[int]] = defaultdict(list)
        for position, query in enumerate(queries):
            groups[query.images, query.aim, query.wanted, bool(query.vector)].append(position)
        answers = await asyncio.gather(
            *(self._call([queries[position] for position in positions]) for positions in groups.values()),
            return_exceptions=True,
        )
        found: dict[int, Found | Exception] = {}
        for positions, answer in zip(groups.values(), answers, strict=True):
            if isinstance(answer, BaseException):
                if not isinstance(answer, Exception):
                    raise answer
                found |= dict.fromkeys(positions, answer)
            else:
                found |= zip(positions, answer, strict=True)
        return [found[position] for position in range(len(queries))]

    async def _call(self, queries: list[Query]) -> list[Found]:
        """Queries that differ in their vectors alone."""
        left_s = max(0.0, max(query.deadline for query in queries) - time.monotonic())
        request = _request(queries)
        answer = await self._backend.search(request, left_s)
        check_applied(request, answer, "the broker")
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
