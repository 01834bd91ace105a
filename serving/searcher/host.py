"""The searcher of a slot: answers from whichever of its generations a query asks for."""

from __future__ import annotations

from generations.life import Life
from schemas.errors import TransientError
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
)
from serving.backend import NOT_READY
from serving.searcher.holding.keeper import FORGET_AFTER_S, LOOK_S, GenerationKeeper
from serving.searcher.holding.slot import Slot
from serving.searcher.measured.thread import Measuring
from serving.searcher.service import SearcherService


class SearcherHost:
    """Several generations of one slot behind the methods of one searcher; any thread may call them.

    A query names its generation; one without goes to the generation that the
    alias names or, until that is ready here, to one that served before.
    """

    def __init__(self, slot: Slot, *, look_s: float = LOOK_S, forget_after_s: float = FORGET_AFTER_S) -> None:
        self._slot = slot
        self._keeper = GenerationKeeper(slot, look_s=look_s, forget_after_s=forget_after_s)
        self._measuring = Measuring(self._searchers, f"{slot.shard}-{slot.replica}")
        self.name = f"searcher of shard {slot.shard}, replica {slot.replica}"

    def start(self) -> None:
        """Begins to load what the alias names, to follow the alias, and to measure the recall of live queries."""
        self._keeper.start()
        if self._slot.settings.recall_sample:
            self._measuring.start()

    def stop(self) -> None:
        """Ends all feeds after their last snapshots; returns when they have ended."""
        self._measuring.stop()
        self._keeper.stop()

    def _searchers(self) -> list[SearcherService]:
        return [held.searcher for held in self._keeper.held.values()]

    def search(self, request: SearchRequest) -> SearchResponse:
        """See `SearchBackend.search`. Raises `TransientError` where the generation is not held or not ready."""
        return self._searcher(request.generation).search(request)

    def product(self, request: ProductRequest) -> ProductResponse:
        """See `SearchBackend.product`; of one generation, as `search`."""
        return self._searcher(request.generation).product(request)

    def details(self, request: DetailsRequest) -> DetailsResponse:
        """See `SearchBackend.details`; of one generation, as `search`."""
        return self._searcher(request.generation).details(request)

    def status(self, request: StatusRequest | None = None) -> StatusResponse:
        """An entry per generation that is held, or should be and cannot; none where the slot has a part in none.

        A broker that asks (`request.asker`) keeps the generations that it names
        in memory. `error` beside `ready`: something is wrong that does not keep
        this replica from answering.
        """
        keeper = self._keeper
        if request is not None and request.asker:
            keeper.named(request.asker, request.generations)
        held, problem = keeper.held, keeper.alias_problem
        entries = [entry for name in keeper.preferred if name in held for entry in held[name].searcher.status().shards]
        for name, failure in keeper.failed.items():
            if name not in held:
                entries.append(self._entry(name, failure.problem))
        if problem and not entries:
            entries.append(self._entry("", problem))
        for entry in entries:
            entry.error = entry.error or problem
        return StatusResponse(shards=entries)

    @property
    def is_ready(self) -> bool:
        """Whether a query that names no generation is answered."""
        held = self._keeper.held
        return any(held[name].searcher.is_ready for name in self._keeper.preferred if name in held)

    def searcher(self, generation: str) -> SearcherService | None:
        """The part that holds this generation, loaded or not."""
        held = self._keeper.held.get(generation)
        return None if held is None else held.searcher

    def _searcher(self, generation: str) -> SearcherService:
        held = self._keeper.held
        if generation:
            found = held.get(generation)
            if found is None:
                raise TransientError(NOT_READY, f"{self.name} does not hold generation {generation}")
            return found.searcher
        searchers = [held[name].searcher for name in self._keeper.preferred if name in held]
        for searcher in searchers:
            if searcher.is_ready:
                return searcher
        if not searchers:
            problem = self._keeper.alias_problem or "the alias names none that has a part for it"
            raise TransientError(NOT_READY, f"{self.name} holds no generation: {problem}")
        return searchers[0]

    def _entry(self, generation: str, problem: str) -> ShardStatus:
        return ShardStatus(
            shard=self._slot.shard,
            replica=self._slot.replica,
            generation=generation,
            error=problem,
            failed=True,
            life=Life.FAILED.value,
        )
