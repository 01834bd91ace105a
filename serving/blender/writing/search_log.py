"""The search log: a record of each answer into Kafka, by a producer that no search ever waits for."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any

from messaging.producer import EventProducer, now_ms
from schemas.access.kafka import Kafka
from schemas.query.filters import conditions
from schemas.query.question import Question
from schemas.query.rank import LEARNED
from schemas.search_log import Kind, SearchRecord, ShownProduct, encode_record
from schemas.topics import SEARCH_LOG
from serving.blender.metrics import BlenderMetrics
from serving.blender.ranking.fusion import Fit
from serving.blender.showing.answers import Result, SearchAnswer

log = logging.getLogger(__name__)

MOST_QUEUED = 20_000
MOST_QUEUED_KB = 32 * 1024
"""Records that wait for Kafka, at most; what comes then is not logged, but counted."""
WAIT_S = 30.0
"""A record that Kafka has not taken by then is given up."""
CLOSE_S = 2.0
_WARN_EVERY_S = 60.0


class SearchLog:
    """Notes answers. Lives on one event loop. `words`: whether the words asked for are kept.

    Of who asks nothing is ever here: no address, key or header. Kafka away
    costs the records of that time and nothing else.
    """

    def __init__(self, kafka: Kafka, metrics: BlenderMetrics, *, words: bool, wait_s: float = WAIT_S) -> None:
        self._metrics = metrics
        self._words = words
        self._warned_at = -_WARN_EVERY_S
        self._producer = EventProducer(
            kafka,
            linger_ms=50,
            delivery_timeout_s=wait_s,
            most_queued=MOST_QUEUED,
            most_queued_kb=MOST_QUEUED_KB,
            only_failures=True,
        )

    def new_id(self) -> str:
        """The name of an answer: random, and of nobody."""
        return secrets.token_hex(16)

    def note(
        self,
        answer: SearchAnswer,
        kinds: tuple[Kind, ...],
        watermark_ms: int,
        question: Question | None = None,
        fits: Mapping[str, Fit] | None = None,
        before: int = 0,
    ) -> None:
        """Queues the record of an answer that has its `search_id`; never waits and never raises for Kafka.

        `question`: None where nothing but a likeness was asked for; `fits`: by
        product, None where scores are of the look; `before`: products shown before.
        """
        assert answer.search_id is not None
        record = SearchRecord(
            search_id=answer.search_id,
            at_ms=now_ms(),
            kinds=kinds,
            generation=answer.generation,
            watermark_ms=watermark_ms,
            took_ms=answer.took_ms.total,
            shown=tuple(
                shown_product(result, position, fits) for position, result in enumerate(answer.results, before + 1)
            ),
            before=before,
            partial=answer.partial,
            matches=answer.matches,
            match=answer.match,
            **({} if question is None else self._of(question)),
        )
        if not self._producer.offer(SEARCH_LOG, answer.search_id.encode(), encode_record(record), self._lost):
            self._lost("its buffer is full", None)

    def close(self) -> None:
        """Waits a moment for what is queued; blocks."""
        self._producer.report()
        self._metrics.unlogged.inc(self._producer.settle(CLOSE_S))

    def _of(self, question: Question) -> dict[str, Any]:
        tree, sort, rank = question.filter, question.sort, question.rank
        return {
            "words": question.text if question.text and self._words else None,
            "filter": () if tree is None else tuple(sorted({each.field for each in conditions(tree)})),
            "sort": "" if sort is None else "-" * sort.descending + sort.field.name,
            "rank": {}
            if rank is None
            else {LEARNED: 1.0}
            if rank.learned
            else {"relevance": rank.relevance, **{field.name: each.weight for field, each in rank.measures}},
            "diverse": bool(question.max_per) or question.mmr is not None,
        }

    def _lost(self, error: Any, _message: Any) -> None:
        self._metrics.unlogged.inc()
        now = time.monotonic()
        if now - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = now
            log.warning("event=search_not_logged problem=%s", error)


def kinds_of(
    question: Question, *, photo: bool = False, vector: bool = False, product: bool = False
) -> tuple[Kind, ...]:
    """What is asked with; of what a route has besides the question, the flags say."""
    asked: list[Kind] = []
    if photo or question.images:
        asked.append("photo")
    if question.text:
        asked.append("words")
    if product or question.products:
        asked.append("product")
    if vector or question.vectors:
        asked.append("vector")
    if question.filter is not None:
        asked.append("filter")
    return tuple(asked)


def shown_product(result: Result, position: int, fits: Mapping[str, Fit] | None) -> ShownProduct:
    """A product of an answer, as it is logged; `fits`: None where its score is of the look."""
    product_id, score = result["product_id"], result["score"]
    price, sales, praise = result["price"], result["sales"], result["praise"]
    if fits is None:
        return ShownProduct(
            product_id=product_id,
            position=position,
            score=score,
            look_score=score,
            look_rank=position,
            price=price,
            sales=sales,
            praise=praise,
        )
    fit = fits[product_id]
    look, words, meaning = fit.look, fit.words, fit.meaning
    return ShownProduct(
        product_id=product_id,
        position=position,
        score=score,
        look_score=None if look is None else look.score,
        look_rank=None if look is None else look.rank,
        words_score=None if words is None else words.score,
        words_rank=None if words is None else words.rank,
        meaning_score=None if meaning is None else meaning.score,
        meaning_rank=None if meaning is None else meaning.rank,
        price=price,
        sales=sales,
        praise=praise,
    )
