"""One answer per shard, from whichever replica is first, and the answers of all shards merged."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, TypeVar

from schemas.errors import TransientError
from schemas.found import merge_found, merge_listed
from schemas.ids import shard_of_product
from schemas.query.facets import decode_counts, encode_counts, merge_facets
from schemas.search_pb2 import DetailsRequest, DetailsResponse, SearchRequest, SearchResponse
from serving.backend import NOT_READY, OTHER_VERSION, UNREACHABLE, VERSION, check_applied
from serving.broker.coverage import Coverage
from serving.broker.metrics import BrokerMetrics
from serving.broker.replicas import Replicas
from serving.broker.suggesting import merged_suggestions
from serving.guarded import Guarded
from serving.hedging import Call, Patience, first_answer

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
_WARN_EVERY_S = 60.0


class Asking:
    """Asks replicas for one generation at a time. Lives on one event loop.

    `hedge_after_s`: the longest that a slow replica is waited for alone.
    """

    def __init__(self, replicas: Replicas, hedge_after_s: float, metrics: BrokerMetrics) -> None:
        self._replicas = replicas
        self._patience = Patience(hedge_after_s)
        self._metrics = metrics
        self._warned_at = -_WARN_EVERY_S

    async def ask_shards(self, request: SearchRequest, route: Coverage, budget_s: float) -> SearchResponse:
        """The answer of `route`, all its shards merged; those that did not answer are in `missing_shards`.

        A searcher that passed over a part of the request (`check_applied`) has not answered.
        Raises `TransientError('not_ready', ...)` when no shard answers, and `RejectedError` as soon as one says so.
        """
        began = time.perf_counter()
        named = SearchRequest()
        named.CopyFrom(request)
        named.generation = route.name

        async def ask(backend: Guarded, left_s: float) -> SearchResponse:
            answer = await backend.search(named, left_s)
            if answer.generation != route.name:
                raise TransientError(NOT_READY, f"asked for {route.name}, a searcher answered from {answer.generation}")
            check_applied(request, answer, backend.name)
            return answer

        outcomes = await asyncio.gather(
            *(self._first_answer(shard, route.name, ask, budget_s) for shard in range(route.shards)),
            return_exceptions=True,
        )
        answers: list[SearchResponse] = []
        missing: dict[int, str] = {}
        for shard, outcome in enumerate(outcomes):
            match outcome:
                case SearchResponse():
                    answers.append(outcome)
                case TransientError():
                    missing[shard] = str(outcome)
                    self._metrics.missing_shards.labels(str(shard)).inc()
                case BaseException():
                    raise outcome
        if not answers:
            problem = next(iter(missing.values()))
            raise TransientError(NOT_READY, f"no shard answered ({problem}); see GET /v1/index for every searcher")
        merged = _merged(request, answers, missing)
        merged.search_ms = (time.perf_counter() - began) * 1000
        return merged

    async def details(self, request: DetailsRequest, route: Coverage, budget_s: float) -> DetailsResponse:
        """What the products' shards show of them; those of a silent shard are left out."""
        wanted: dict[int, list[str]] = {}
        for product_id in request.product_ids:
            wanted.setdefault(shard_of_product(product_id, route.shards), []).append(product_id)

        async def of_shard(shard: int, product_ids: list[str]) -> DetailsResponse:
            part = DetailsRequest(product_ids=product_ids, generation=route.name, max_bytes=request.max_bytes)
            try:
                return await self._first_answer(
                    shard, route.name, lambda backend, left_s: backend.details(part, left_s), budget_s
                )
            except TransientError:
                self._metrics.missing_shards.labels(str(shard)).inc()
                return DetailsResponse()

        answers = await asyncio.gather(*(of_shard(shard, ids) for shard, ids in wanted.items()))
        return DetailsResponse(details=[detail for answer in answers for detail in answer.details])

    async def _first_answer(self, shard: int, generation: str, call: Call[_Answer], budget_s: float) -> _Answer:
        """Raises the last `TransientError` when all replicas failed (at once when all are put aside)."""
        order = [replica.backend for replica in self._replicas.in_turn(shard, generation)]
        if not order:
            raise TransientError(UNREACHABLE, f"every replica of shard {shard} is silent and put aside")
        late = f"no replica of shard {shard} answered within {budget_s:.2f} s"
        return await first_answer(order, call, budget_s, self._patience, late, self._again)

    def _again(self, error: TransientError | None) -> None:
        """A replica failed, or is slow (None). One of another version is for whoever runs it to mend, so that the log
        says it too."""
        if error is None:
            self._metrics.second_tries.labels("slow").inc()
            return
        of_another = error.reason == OTHER_VERSION
        self._metrics.second_tries.labels(OTHER_VERSION if of_another else "failed").inc()
        if of_another and time.monotonic() - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = time.monotonic()
            log.warning("event=searcher_of_another_version next=its_answers_are_not_taken problem=%s", error)


def _merged(request: SearchRequest, answers: list[SearchResponse], missing: dict[int, str]) -> SearchResponse:
    """One answer from those of all shards that answered, of one generation; of several questions one to each."""
    parts: dict[str, Any]
    if request.questions:
        parts = {
            "answers": [
                _merged(question, [answer.answers[number] for answer in answers], missing)
                for number, question in enumerate(request.questions)
            ]
        }
    else:
        found = merge_found([answer.found for answer in answers], request.count, request.limit)
        parts = {"found": found, **_merged_lists(request, answers, missing)}
    return SearchResponse(
        **parts,
        watermark_ms=min(answer.watermark_ms for answer in answers),
        pending_images=sum(answer.pending_images for answer in answers),
        refused_images=sum(answer.refused_images for answer in answers),
        missing_shards=list(missing),
        extractor_id=answers[0].extractor_id,
        generation=answers[0].generation,
        version=min(VERSION, *(answer.version for answer in answers)),
    )


def _merged_lists(request: SearchRequest, answers: list[SearchResponse], missing: dict[int, str]) -> dict[str, Any]:
    """Those parts of the answer that few questions have. A product lies in one shard, so counts add up."""
    parts: dict[str, Any] = {}
    if request.words or request.listing:
        parts["listed"] = merge_listed([answer.listed for answer in answers], request.list_limit)
        parts["corrected"] = {word: other for answer in answers for word, other in answer.corrected.items()}
    if request.facets:
        parts["facets"] = encode_counts(merge_facets([decode_counts(answer.facets) for answer in answers]))
    if request.suggest:
        parts["suggestions"] = merged_suggestions(answers, request.list_limit)
    if request.explain:
        parts["plan"] = [line for answer in answers for line in answer.plan]
        parts["plan"] += [f"shard {shard}: no answer ({problem})" for shard, problem in missing.items()]
    if parts:
        parts["matches"] = sum(answer.matches for answer in answers)
    return parts
