"""One replica of one shard of one generation: queries, product look-ups and status from the shard its feed writes."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec
from prometheus_client import CollectorRegistry

from generations.life import Life, step
from indexing.look.looks import Look
from indexing.shard.shard import Shard
from schemas.errors import TransientError
from schemas.found import Hit, encode_found
from schemas.full_index.generation import LIVE
from schemas.query.facets import encode_counts
from schemas.query.filters import Filter
from schemas.query.indexed import Indexed
from schemas.search_pb2 import (
    DetailsRequest,
    DetailsResponse,
    ProductRequest,
    ProductResponse,
    SearchRequest,
    SearchResponse,
    ShardStatus,
    StatusRequest,
    StatusResponse,
    Suggestion,
)
from serving.backend import (
    MAX_DETAILS,
    NOT_READY,
    VERSION,
    is_plain,
)
from serving.searcher.asked import Vectors, question_of, vectors_of
from serving.searcher.measured.recall import LiveRecall
from serving.searcher.metrics import SearcherMetricFamilies, SearcherMetrics
from serving.searcher.shown import product_details, product_status

STALLED_S = 3.0
"""A feed that was not heard of for so long, in a process that was stopped, say, may lack what is removed since."""


class SearcherService:
    """Any thread may call the query methods; `begin`, `beat`, `at`, `ready` and so on belong to the feed's thread.

    `generation`: the full index that it holds a shard of, one of `shards`.
    `look`: what its vectors are made by; `indexed`: what filters and words are answered from.
    """

    def __init__(
        self,
        shard: int,
        replica: int,
        look: Look,
        metrics: SearcherMetrics | None = None,
        *,
        generation: str = LIVE,
        shards: int = 1,
        indexed: Indexed | None = None,
        recall_sample: float = 0.0,
        recall_wanted: float = 0.99,
    ) -> None:
        self.indexed = indexed or Indexed()
        self.shard = shard
        self.replica = replica
        self.generation = generation
        self.shards = shards
        self.look = look
        self.extractor_id = look.extractor_id
        self.dimension = look.dimension
        self.name = f"searcher of shard {shard}, replica {replica}"
        self.labels = f"shard={shard} replica={replica} generation={generation}"
        self.metrics = metrics or SearcherMetricFamilies(CollectorRegistry()).of(shard, replica)
        self.recall = LiveRecall(recall_sample, recall_wanted, self.labels)
        self.positions: dict[int, int] = {}
        self.lag = 0
        self.refused: dict[str, int] = {}
        self.was_ready = False
        self.is_stalled = False
        self._beat_at: float | None = None
        self._index: Shard | None = None
        self._life = Life.RESTORING
        self._problem = ""
        self.metrics.watch(self)

    # The feed's side.

    def begin(self, index: Shard) -> None:
        """Takes the shard that the feed restored or made; queries wait until `ready`."""
        index.open_attributes(self.indexed)
        self._index = index
        self._life = step(self._life, Life.CATCHING_UP)

    def begin_anew(self) -> None:
        """Lets go of the shard; another is being loaded."""
        self._life = step(self._life, Life.RESTORING)
        self._index = None

    def at(self, positions: dict[int, int], lag: int) -> None:
        """Where the feed stands: the next offset by partition of index-deltas, which nobody changes any more.

        `lag`: records behind the ends of all of them, as of the feed's last look.
        """
        self.positions, self.lag = positions, lag

    def beat(self) -> None:
        """The feed goes on. After a pause of `STALLED_S` queries wait until the feed says that it has `resumed`."""
        now = time.monotonic()
        self.is_stalled = self.is_stalled or (self._beat_at is not None and now - self._beat_at > STALLED_S)
        self._beat_at = now

    def resumed(self, behind: bool) -> None:
        """The feed knows where the log is after a pause; `behind`: queries wait until it says `ready` again."""
        if behind and self._life is Life.READY:
            self._life = step(self._life, Life.CATCHING_UP)
        self.is_stalled = False

    def refuse(self, counts: Mapping[str, int]) -> None:
        """That much of index-deltas was not taken, by reason (`schemas.deltas.check`)."""
        self.refused = {
            reason: self.refused.get(reason, 0) + counts.get(reason, 0) for reason in {**self.refused, **counts}
        }

    def ready(self) -> None:
        """The shard has every delta that was in the topic when the feed began: queries are answered from now on."""
        self._life = step(self._life, Life.READY)
        self.was_ready = True

    def fail(self, problem: str) -> None:
        """Takes this replica out: an index that no longer follows the log would show what is removed."""
        self._problem = problem
        self._life = step(self._life, Life.FAILED)

    # The queries' side.

    @property
    def life(self) -> Life:
        """Where the generation is here; LEAVING and SERVING are words of others."""
        return self._life

    @property
    def is_ready(self) -> bool:
        return self._life.answers

    @property
    def has_failed(self) -> bool:
        return self._life is Life.FAILED

    @property
    def problem(self) -> str:
        """Why it has failed."""
        return self._problem

    @property
    def next_offset(self) -> int:
        """Of the partition that it reads; the sum where it reads several."""
        return sum(self.positions.values())

    @property
    def index(self) -> Shard | None:
        """The shard, once there is one."""
        return self._index

    def search(self, request: SearchRequest) -> SearchResponse:
        """See `SearchBackend.search`. Reads without a lock; faiss releases the GIL while it scans."""
        if request.questions:
            return self._answer_all(request)
        if not is_plain(request):
            return self._answer(request)
        began = time.perf_counter()
        index = self._ready_index(request.generation)
        vectors = vectors_of(request, self.extractor_id, self.dimension)
        watermark_ms = index.watermark_ms()  # before the scan: the answer is at least as fresh as it says
        found = index.search(vectors, request.limit, request.nprobe)
        self._sample(vectors, request)
        elapsed_s = time.perf_counter() - began
        pending, refused = index.waiting()
        self.metrics.search_seconds.observe(elapsed_s)
        self.metrics.queries.inc(request.count)
        return SearchResponse(
            found=encode_found(found),
            watermark_ms=watermark_ms,
            pending_images=pending,
            refused_images=refused,
            extractor_id=self.extractor_id,
            search_ms=elapsed_s * 1000,
            generation=self.generation,
            version=VERSION,
        )

    def _answer_all(self, request: SearchRequest) -> SearchResponse:
        """Several questions, one after the other; what one of them raises, all do."""
        answers = [self.search(question) for question in request.questions]
        return SearchResponse(
            answers=answers,
            watermark_ms=min(answer.watermark_ms for answer in answers),
            extractor_id=self.extractor_id,
            generation=self.generation,
            version=VERSION,
        )

    def _answer(self, request: SearchRequest) -> SearchResponse:
        """A question with a filter, words, counts or a list."""
        began = time.perf_counter()
        index = self._ready_index(request.generation)
        if request.suggest:
            words = index.suggest(request.suggest, request.list_limit)
            names = index.names(request.suggest, request.list_limit)
            return SearchResponse(
                suggestions=[
                    *(Suggestion(text=text, products=products) for text, products in words),
                    *(Suggestion(text=name.text, products=name.products, field=name.field) for name in names),
                ],
                watermark_ms=index.watermark_ms(),
                generation=self.generation,
                version=VERSION,
            )
        question = question_of(request, self.extractor_id, self.dimension, self.indexed.fields)
        watermark_ms = index.watermark_ms()
        answer = index.answer(question)
        found, listed = answer.found, answer.listed
        if request.explain:
            found, listed = [self._with_shown(index, hits) for hits in found], self._with_shown(index, listed)
        self._sample(question.vectors, request, question.tree)
        elapsed_s = time.perf_counter() - began
        pending, refused = index.waiting()
        self.metrics.search_seconds.observe(elapsed_s)
        self.metrics.queries.inc(max(1, request.count))
        return SearchResponse(
            found=encode_found(found),
            listed=encode_found([listed]) if request.words or request.listing else None,
            facets=encode_counts(answer.facets),
            matches=answer.matches,
            corrected=answer.corrected,
            plan=[f"shard {self.shard}: {answer.plan}"] if request.explain else (),
            watermark_ms=watermark_ms,
            pending_images=pending,
            refused_images=refused,
            extractor_id=self.extractor_id,
            search_ms=elapsed_s * 1000,
            generation=self.generation,
            version=VERSION,
        )

    def _with_shown(self, index: Shard, hits: list[Hit]) -> list[Hit]:
        """With what their pictures show; colours where the shop wants them told."""
        shown = [index.with_shown(hit) for hit in hits]
        return shown if self.indexed.picture_colours else [msgspec.structs.replace(hit, colours=0) for hit in shown]

    def _sample(self, vectors: Vectors, request: SearchRequest, tree: Filter | None = None) -> None:
        """Queries that say themselves how much is to be looked through check or compare, and are no shopper's."""
        if len(vectors) and not request.nprobe:
            self.recall.offer(vectors, request.limit, tree)

    def measure_recall(self) -> None:
        """Answers one of the sampled queries exactly as well, where one waits. Of one thread; may take long."""
        if self.is_ready and self._index is not None:
            self.recall.measure(self._index)

    def product(self, request: ProductRequest) -> ProductResponse:
        """Every image known of the product, tombstones too; none when the shard never heard of it."""
        index = self._ready_index(request.generation)
        watermark_ms = index.watermark_ms()  # before the look: the answer is at least as fresh as it says
        status = product_status(index.product(request.product_id))
        status.shard, status.replica, status.generation = self.shard, self.replica, self.generation
        status.watermark_ms = watermark_ms
        return ProductResponse(replicas=[status])

    def details(self, request: DetailsRequest) -> DetailsResponse:
        """What is shown of each product, its attributes trimmed once `max_bytes` are used up."""
        index = self._ready_index(request.generation)
        shown = ((name, index.shown(name)) for name in request.product_ids[:MAX_DETAILS])
        return DetailsResponse(details=product_details(shown, request.max_bytes))

    def status(self, request: StatusRequest | None = None) -> StatusResponse:
        """Answers in every phase; before the shard is there, with zeros. Who asks makes no difference here."""
        problem = self._problem if self.has_failed else ""
        status = ShardStatus(
            shard=self.shard,
            replica=self.replica,
            ready=self.is_ready,
            delta_offset=self.next_offset,
            delta_offsets=self.positions,
            lag=self.lag,
            extractor_id=self.extractor_id,
            generation=self.generation,
            shards=self.shards,
            error=problem or ("" if self.is_ready else self._life.text),
            failed=self.has_failed,
            life=self._life.value,
            refused=self.refused,
        )
        if (index := self._index) is not None:
            stats = index.stats()
            status.images, status.searchable, status.pending = stats.images, stats.searchable, stats.pending
            status.refused_images = stats.refused
            status.rows, status.memory_bytes, status.index_kind = stats.rows, stats.memory_bytes, stats.index_kind
            status.digest, status.nprobe = stats.digest, stats.nprobe
            recall = self.recall.figures
            status.recall, status.recall_spread, status.recall_queries = recall.mean, recall.spread, recall.queries
            filtered = self.recall.filtered
            status.filtered_recall, status.filtered_recall_spread = filtered.mean, filtered.spread
            status.filtered_recall_queries = filtered.queries
            status.watermark_ms = index.watermark_ms()
        return StatusResponse(shards=[status])

    def _ready_index(self, generation: str) -> Shard:
        """The shard, if it answers queries and is of the generation asked for ("": of any)."""
        if generation not in ("", self.generation):
            raise TransientError(NOT_READY, f"{self.name} holds generation {self.generation}, not {generation}")
        if self.is_ready and self._index is not None:
            if self.is_stalled or (self._beat_at is not None and time.monotonic() - self._beat_at > STALLED_S):
                problem = f"{self.name} has not followed index-deltas for over {STALLED_S:.0f} s: it was stopped"
                raise TransientError(NOT_READY, f"{problem}, or its feed hangs; it answers once it has caught up")
            return self._index
        raise TransientError(NOT_READY, f"{self.name} is {self._problem or self._life.text}")
