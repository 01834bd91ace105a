"""Which generation answers a query: decided anew after every word of a searcher or of the alias.

All searchers are asked several times a second what they hold, and told in the
same breath what is routed to, so that they keep it. The state of a swap lies
in no file: a broker that starts in the middle of one finds it by asking.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from generations.folder import Generations
from schemas.errors import RejectedError, TransientError
from schemas.search_pb2 import SearchRequest, StatusRequest
from serving.backend import EXTRACTOR_MISMATCH, NOT_READY, unknown_generation
from serving.broker.coverage import Coverage, choose_serving, of_extractor, table
from serving.broker.metrics import BrokerMetrics
from serving.broker.replicas import Replica, Replicas
from serving.broker.wanted import Wanted

log = logging.getLogger(__name__)

POLL_S = 0.25
POLL_TIMEOUT_S = 3.0
FIRST_LOOK_S = 1.0
"""What a query waits for slow searchers at most, before a generation is chosen without them."""
SLACK_MS = 250
"""How much older a generation may seem that takes over: statuses are up to a poll apart."""
HEARD_S = 15.0
"""How long it counts what a blender said it embeds with."""
TAKEOVER_S = 10.0
"""For so long after a change answers may come from two generations, to one shopper."""


class Routing:
    """Watches the replicas and the alias from `start` to `close`. Lives on one event loop.

    `shards`: shards to begin with.
    """

    def __init__(
        self,
        replicas: Replicas,
        shards: int,
        generations: Generations | None,
        metrics: BrokerMetrics,
        poll_s: float = POLL_S,
    ) -> None:
        self.held: dict[str, Coverage] = {}
        self.serving = ""
        self._replicas = replicas
        self._shards = shards
        self._wanted = Wanted(generations)
        self._metrics = metrics
        self._poll_s = poll_s
        self._asker = f"broker-{secrets.token_hex(6)}"
        self._blenders: dict[str, tuple[frozenset[str], float]] = {}
        self._served: Coverage | None = None
        self._whole = ""
        self._before = ""
        self._takeover_until = 0.0
        self._settled = asyncio.Event()
        self._waits_for = ""
        self._watching: dict[Replica, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    # -- queries -------------------------------------------------------------------------------

    def route(self, request: SearchRequest) -> Coverage:
        """The generation named, else the one that serves, else one of the query's extractor.

        Raises `RejectedError` (`unknown_generation`, `extractor_mismatch`), `TransientError` while nothing is held.
        """
        extractor = request.extractor_id
        if request.generation:
            route = self.named(request.generation)
        else:
            serving = self.served
            if serving is None:
                problem = next(
                    (replica.problem for replica in self._replicas if replica.problem), "none holds an index"
                )
                raise TransientError(NOT_READY, f"no shard answered ({problem}); see GET /v1/index for every searcher")
            route = serving
            if not serving.fits(extractor):
                self._takeover_until = time.monotonic() + TAKEOVER_S
                route = of_extractor(extractor, self.held, self._before) or serving
        if not route.fits(extractor):
            raise RejectedError(
                EXTRACTOR_MISMATCH,
                f"the query's vector is of {extractor}, generation {route.name} is of {route.extractor_id}; "
                "embed with the index's extractor, or run blender and searchers with the same settings",
            )
        return route

    def named(self, name: str) -> Coverage:
        """Raises `RejectedError` when no searcher holds it."""
        if (held := self.held.get(name)) is None:
            raise unknown_generation(name, self.held)
        return held

    @property
    def served(self) -> Coverage | None:
        """The serving generation, as it was when a replica last held it: silent searchers are asked all the same."""
        return self.held.get(self.serving) or self._served

    @property
    def taking_over(self) -> bool:
        """Whether the serving generation or a blender's extractor has changed a moment ago."""
        return time.monotonic() < self._takeover_until

    @property
    def shards(self) -> int:
        """Shards of the generation that has most of them, of those held or wanted."""
        return max(self._shards, self._wanted.shards, *(held.shards for held in self.held.values()), 0)

    def hear(self, request: StatusRequest) -> None:
        """Remembers which extractors a blender embeds with: the generation that answers it is kept meanwhile."""
        if request.asker:
            self._blenders[request.asker] = (frozenset(request.extractor_ids), time.monotonic())

    # -- watching ------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to watch; needs the running loop. Harmless when it has begun."""
        if not self._tasks:
            self._tasks.append(asyncio.create_task(self._repeat(self._look_at_alias)))

    async def close(self) -> None:
        tasks = [*self._tasks, *self._watching.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def first_look(self, deadline: float) -> None:
        """Waits until every replica has said once what it holds, but not for long. `deadline`: of `time.monotonic`."""
        self.start()
        if not self._settled.is_set():
            wait_s = min(FIRST_LOOK_S, (deadline - time.monotonic()) / 2)
            try:
                await asyncio.wait_for(self._settled.wait(), wait_s)
            except TimeoutError:
                self._decide()

    async def look_at_all(self, timeout_s: float) -> None:
        """Asks the alias and every replica now."""
        deadline = time.monotonic() + timeout_s
        await self._wanted.look()
        looked: set[Replica] = set()
        while new := [replica for replica in self._replicas if replica not in looked]:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            looked.update(new)
            await asyncio.gather(*(self._look(replica, left_s) for replica in new))

    async def _look_at_alias(self) -> None:
        # Before any replica is watched: which generation is wanted must be known when one is chosen.
        await self._wanted.look()
        await self._replicas.follow()
        self._decide()
        for replica in [replica for replica in self._watching if replica.left]:
            self._watching.pop(replica).cancel()
        for replica in self._replicas:
            self._watch(replica)

    async def _look(self, replica: Replica, timeout_s: float) -> None:
        await replica.look(StatusRequest(asker=self._asker, generations=self._routes()), timeout_s)
        self._decide()

    def _watch(self, replica: Replica) -> None:
        if replica not in self._watching:
            look = self._repeat(lambda: self._look(replica, POLL_TIMEOUT_S))
            self._watching[replica] = asyncio.create_task(look)

    async def _repeat(self, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await look()
            except Exception:
                # What was known stays known, and the next look may do better: without looks no swap would ever happen.
                log.exception("event=look_failed")
            await asyncio.sleep(self._poll_s)

    def _routes(self) -> list[str]:
        """What searchers must keep: the serving generation, and one for blenders that embed for another.

        And what served before, where a searcher cannot load what the alias names and nothing else is whole: after
        a start of the whole system, say, when an altered file would otherwise leave only a part to answer.
        """
        serving = self.served
        if serving is None:
            return []
        oldest = time.monotonic() - HEARD_S
        self._blenders = {asker: said for asker, said in self._blenders.items() if said[1] > oldest}
        names = {serving.name}
        if not serving.complete and any(replica.has_failed(self._wanted.serving) for replica in self._replicas):
            names.add(self._wanted.served_before)
        for extractor in {extractor for extractors, _ in self._blenders.values() for extractor in extractors}:
            other = of_extractor(extractor, self.held, self._before) if extractor != serving.extractor_id else None
            if other is not None:
                names.add(other.name)
        return sorted(names)

    # -- deciding ------------------------------------------------------------------------------

    def _decide(self) -> None:
        self.held = table(self._replicas, self._shards)
        for replica in self._replicas.reach(self.shards):
            self._watch(replica)
        wanted = self.held.get(self._wanted.serving)
        # A choice binds once it was whole: what was chosen before all were heard, or for want of better, does not.
        present = self.serving if self.serving == self._whole else ""
        chosen = choose_serving(self._wanted.serving, present, self.held, SLACK_MS)
        if chosen and chosen != self.serving:
            self._serve(chosen)
        elif wanted is not None and wanted.complete and wanted.name not in (self.serving, self._waits_for):
            self._waits_for = wanted.name
            log.info("event=swap_waits generation=%s until_as_new_as=%s", wanted.name, self.serving)
        self._served = self.held.get(self.serving, self._served)
        if self._served is not None and self._served.complete:
            self._whole = self.serving
        if all(replica.heard for replica in self._replicas) or (wanted is not None and wanted.complete):
            self._settled.set()

    def _serve(self, name: str) -> None:
        log.info("event=serving generation=%s before=%s wanted=%s", name, self.serving, self._wanted.serving)
        self._before = self._wanted.served_before
        if self._settled.is_set():
            self._before = self.serving
            self._takeover_until = time.monotonic() + TAKEOVER_S
            self._metrics.swaps.inc()
        self.serving, self._waits_for = name, ""
