"""One answer per shard, from whichever replica is first, and the answers of all shards merged.

Trying a second replica when the first is slow is the hedged request of Dean
and Barroso, "The Tail at Scale" (CACM 2013): after the 95th percentile of what
answers take, so that few queries are asked twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from schemas.errors import RejectedError, TransientError
from schemas.found import merge_found, merge_listed
from schemas.ids import shard_of_product
from schemas.query.facets import decode_counts, encode_counts, merge_facets
from schemas.search_pb2 import DetailsRequest, DetailsResponse, SearchRequest, SearchResponse
from serving.backend import NOT_READY, OTHER_VERSION, OVERDUE, UNREACHABLE, VERSION, check_applied
from serving.broker.coverage import Coverage
from serving.broker.metrics import BrokerMetrics
from serving.broker.replicas import Replicas
from serving.broker.suggesting import merged_suggestions
from serving.guarded import Guarded

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
_Call = Callable[[Guarded, float], Coroutine[None, None, _Answer]]


LEAST_HEDGE_S = 0.01
_REMEMBERED = 256
_FEW = 32
_WARN_EVERY_S = 60.0


class Patience:
    """How long a replica is waited for before another is asked too.

    Half as much again as 95 of 100 answers take, of the last `_REMEMBERED`;
    from `LEAST_HEDGE_S` to `most_s`, which it is until there are `_FEW`.
    """

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._took_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._new = 0
        self.seconds = most_s

    def note(self, took_s: float) -> None:
        """An answer came after `took_s`."""
        self._took_s.append(took_s)
        self._new += 1
        if self._new >= _FEW:
            self._new = 0
            in_order = sorted(self._took_s)
            self.seconds = min(self._most_s, max(LEAST_HEDGE_S, 1.5 * in_order[len(in_order) * 95 // 100]))


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

    async def _first_answer(self, shard: int, generation: str, call: _Call[_Answer], budget_s: float) -> _Answer:
        """Asks replicas in turn: the next one on an error at once, or beside a slow one when patience ends.

        Raises the last `TransientError` when all failed (at once when all are
        put aside), `RejectedError` as soon as one says so.
        """
        deadline = time.monotonic() + budget_s
        untried = deque(self._replicas.in_turn(shard, generation))
        running: dict[asyncio.Task[_Answer], float] = {}
        problem = TransientError(OVERDUE, f"no replica of shard {shard} answered within {budget_s:.2f} s")
        if not untried:
            problem = TransientError(UNREACHABLE, f"every replica of shard {shard} is silent and put aside")
        try:
            while True:
                left_s = deadline - time.monotonic()
                replica = untried.popleft() if untried and left_s > 0 else None
                if replica is not None:
                    running[asyncio.create_task(call(replica.backend, left_s))] = time.monotonic()
                elif not running or left_s <= 0:
                    raise problem
                wait_s = min(left_s, self._patience.seconds) if untried else left_s
                done, _ = await asyncio.wait(running, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                if not done and untried and replica is not None:
                    replica.backend.slow()
                    self._metrics.second_tries.labels("slow").inc()
                for work in done:
                    began = running.pop(work)
                    try:
                        answer = work.result()
                    except TransientError as error:
                        problem = error
                        self._note(error)
                    else:
                        self._patience.note(time.monotonic() - began)
                        return answer
        finally:
            for work in running:
                work.cancel()
            for work in running:
                with suppress(asyncio.CancelledError, TransientError, RejectedError):
                    await work

    def _note(self, error: TransientError) -> None:
        """A replica failed. One of another version is for whoever runs it to mend, so that the log says it too."""
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
