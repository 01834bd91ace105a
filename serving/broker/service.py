"""The broker: every query is answered from exactly one generation, by all of its shards."""

from __future__ import annotations

import asyncio
import time

from generations.folder import Generations
from generations.life import Life, life_of, step
from schemas.errors import TransientError
from schemas.ids import shard_of_product
from schemas.search_pb2 import (
    DetailsRequest,
    DetailsResponse,
    ProductRequest,
    ProductResponse,
    ReplicaStatus,
    SearchRequest,
    SearchResponse,
    ShardStatus,
    StatusRequest,
    StatusResponse,
)
from serving.broker.asking import Asking
from serving.broker.coverage import Coverage
from serving.broker.members import AsMany, Members
from serving.broker.metrics import BrokerMetrics
from serving.broker.replicas import Connect, Replica, Replicas
from serving.broker.routing import FIRST_LOOK_S, POLL_S, Routing
from serving.recorded import RecordedQueries

SHARE_OF_DEADLINE = 0.9
"""The broker stops waiting this early, so that an answer without the slow shard still arrives in time."""
ASK_AGAIN_S = 0.02
ASK_AGAIN_FOR_S = 1.0


class BrokerService:
    """`SearchBackend` over all replicas, which it connects, owns and closes. Lives on one event loop.

    `shards`: shards to begin with; `members`: their replicas, or how many each
    has. `generations`: where the alias is; None: the index "live" alone.
    `recorded`: where queries are sampled. Watching begins with `start`, or with
    the first call.
    """

    def __init__(
        self,
        connect: Connect,
        shards: int,
        members: Members | int = 1,
        *,
        generations: Generations | None = None,
        recorded: RecordedQueries | None = None,
        hedge_after_s: float = 0.2,
        poll_s: float = POLL_S,
        metrics: BrokerMetrics | None = None,
    ) -> None:
        self.metrics = metrics or BrokerMetrics()
        self._shards = shards
        members = AsMany(members) if isinstance(members, int) else members
        self._replicas = Replicas(connect, shards, members, self.metrics.replica_is)
        self._asking = Asking(self._replicas, hedge_after_s, self.metrics)
        self._routing = Routing(self._replicas, shards, generations, self.metrics, poll_s)
        self._recorded = recorded
        self._recording: asyncio.Task[None] | None = None
        self._told_ms = 0

    def start(self) -> None:
        """Begins to watch the alias and the replicas, and to record queries; needs the running loop."""
        self._routing.start()
        if self._recorded is not None and self._recording is None:
            self._recording = asyncio.create_task(self._recorded.run())

    async def close(self) -> None:
        await self._routing.close()
        if self._recorded is not None and self._recording is not None:
            self._recording.cancel()
            await asyncio.gather(self._recording, return_exceptions=True)
            await self._recorded.write()
        await self._replicas.close()

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        """Asks one generation: that named, else the one that serves, else one of the query's extractor.

        Raises `RejectedError` (`unknown_generation`, `extractor_mismatch`, ...), and
        `TransientError('not_ready', ...)` only when no shard answers.
        """
        began = time.perf_counter()
        deadline = time.monotonic() + timeout_s * SHARE_OF_DEADLINE
        self.start()
        await self._routing.first_look(deadline)
        oldest_ms = self._told_ms
        route = self._routing.route(request)
        try:
            answer = await self._asking.ask_shards(request, route, deadline - time.monotonic())
        except TransientError:
            # Perhaps the searchers began anew without it since they were last asked.
            await self._routing.look_at_all(min(FIRST_LOOK_S, deadline - time.monotonic()))
            again = self._routing.route(request)
            if again.name == route.name:
                raise
            route = again
            answer = await self._asking.ask_shards(request, route, deadline - time.monotonic())
        if not request.generation:
            answer = await self._not_older(request, route, answer, oldest_ms, deadline)
            if not answer.missing_shards:
                self._told_ms = max(self._told_ms, answer.watermark_ms)
            # Not of queries that name a generation: those check and compare, and are no shopper's.
            for question in request.questions or [request]:
                if self._recorded is not None and question.count:
                    self._recorded.note(route.extractor_id, question.vectors, question.count)
        elapsed_s = time.perf_counter() - began
        self.metrics.search_seconds.observe(elapsed_s)
        answer.search_ms = elapsed_s * 1000
        return answer

    async def product(self, request: ProductRequest, timeout_s: float) -> ProductResponse:
        """One entry per replica of the product's shard, in every generation held, or in that named.

        The serving one comes first. A replica that did not answer says why in
        `error`; it has no entry for a generation that it does not hold.
        """
        deadline = time.monotonic() + timeout_s * SHARE_OF_DEADLINE
        self.start()
        await self._routing.first_look(deadline)
        if request.generation:
            routes = [self._routing.named(request.generation)]
        else:
            routes = sorted(self._routing.held.values(), key=lambda held: held.age, reverse=True)
            routes.sort(key=lambda held: held.name != self._routing.serving)
        where = [(held.name, held.shards) for held in routes] or [("", self._shards)]
        found = await asyncio.gather(
            *(
                _ask_product(replica, ProductRequest(product_id=request.product_id, generation=name), deadline)
                for name, shards in where
                for replica in self._replicas.of(shard_of_product(request.product_id, shards))
                if not name or replica.may_hold(name)
            )
        )
        return ProductResponse(replicas=[status for statuses in found for status in statuses])

    async def details(self, request: DetailsRequest, timeout_s: float) -> DetailsResponse:
        """From one replica of each product's shard. Of a shard that does not answer there is nothing in the answer."""
        deadline = time.monotonic() + timeout_s * SHARE_OF_DEADLINE
        self.start()
        await self._routing.first_look(deadline)
        route = self._routing.named(request.generation or self._routing.serving)
        return await self._asking.details(request, route, deadline - time.monotonic())

    async def status(self, timeout_s: float, request: StatusRequest | None = None) -> StatusResponse:
        """Asks every replica now: an entry per generation that it holds, or one that says in `error` why it is silent.

        A replica that holds nothing, and needs not, has none. A blender that asks
        is remembered with the extractors that it embeds with.
        """
        self.start()
        if request is not None:
            self._routing.hear(request)
        await self._routing.look_at_all(timeout_s * SHARE_OF_DEADLINE)
        name, serving = self._routing.serving, self._routing.served
        entries: list[ShardStatus] = []
        for replica in self._replicas:
            if replica.problem and replica.shard < self._routing.shards:
                entries.append(_silent(replica, name, self._shards if serving is None else serving.shards))
            for held in replica.held.values():
                entry = ShardStatus()
                entry.CopyFrom(held)
                entry.serving = entry.generation == name
                if entry.serving and life_of(entry) is Life.READY:
                    entry.life = step(Life.READY, Life.SERVING).value
                entry.health = replica.backend.state.value
                entries.append(entry)
        entries.sort(key=lambda entry: (entry.shard, entry.replica, not entry.serving, entry.generation))
        extractor = "" if serving is None else serving.extractor_id
        return StatusResponse(shards=entries, serving=name, serving_extractor_id=extractor)

    async def _not_older(
        self, request: SearchRequest, route: Coverage, answer: SearchResponse, oldest_ms: int, deadline: float
    ) -> SearchResponse:
        """Right after a swap: an answer no older than any before it.

        Feeds of two generations are milliseconds apart. Their difference is
        waited for, a little, rather than shown; if it stays, the answer is
        what it is, and says so.
        """
        until = min(deadline, time.monotonic() + ASK_AGAIN_FOR_S)
        while answer.watermark_ms < oldest_ms and self._routing.taking_over and time.monotonic() < until:
            self.metrics.asked_again.inc()
            await asyncio.sleep(ASK_AGAIN_S)
            try:
                again = await self._asking.ask_shards(request, route, deadline - time.monotonic())
            except TransientError:
                break
            if len(again.missing_shards) <= len(answer.missing_shards):
                answer = again
        return answer


async def _ask_product(replica: Replica, request: ProductRequest, deadline: float) -> list[ReplicaStatus]:
    try:
        answer = await replica.backend.product(request, deadline - time.monotonic())
    except TransientError as error:
        silent = ReplicaStatus(
            shard=replica.shard, replica=replica.number, generation=request.generation, error=str(error)
        )
        return [silent]
    return list(answer.replicas)


def _silent(replica: Replica, serving: str, shards: int) -> ShardStatus:
    """The entry of a replica that did not answer; of the serving generation, if that needs this replica."""
    status = ShardStatus(
        shard=replica.shard, replica=replica.number, error=replica.problem, health=replica.backend.state.value
    )
    if replica.shard < shards:
        status.generation, status.shards, status.serving = serving, shards, True
    return status
