"""A whole tier in this process: a broker, hosts of every slot, full indexes on disk, index-deltas in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from generations.folder import Generations
from indexing.look.looks import Untuned
from schemas.deltas.delta import DeltaBatch
from schemas.errors import TransientError
from schemas.full_index.generation import Generation
from schemas.search_pb2 import (
    DetailsRequest,
    DetailsResponse,
    ProductRequest,
    ProductResponse,
    SearchRequest,
    SearchResponse,
    StatusRequest,
    StatusResponse,
)
from serving.backend import UNREACHABLE, SearchBackend
from serving.broker.service import BrokerService
from serving.local import LocalBackend
from serving.searcher.holding.slot import Slot
from serving.searcher.host import SearcherHost
from serving.searcher.metrics import SearcherMetricFamilies
from tests.support.serving.found import hits
from tests.support.serving.generations import build_generation, settings_in
from tests.support.serving.world import (
    DIMENSION,
    EXTRACTOR,
    MemoryPartition,
    MemoryReader,
    MemoryTopic,
    batch,
    direction,
    listed,
    near,
    query,
)

TIMEOUT_S = 20.0
OTHER_EXTRACTOR = f"other_encoder-0000beef-p1-{DIMENSION}"
POLL_S = 0.01
FORGET_AFTER_S = 1.0
PRODUCTS = 12


def stocked(name: str, extractor_id: str = EXTRACTOR, **times: int) -> DeltaBatch:
    """Products name0, name1, ... in all shards: no other generation's have this letter."""
    deltas = batch(extractor_id, **times)
    for number in range(PRODUCTS):
        listed(deltas, f"{name}{number}", [near(direction(1), number)])
    return deltas


class Line(LocalBackend):
    """A real host behind a line that can be cut."""

    def __init__(self, host: SearcherHost) -> None:
        super().__init__(host)
        self.cut = False

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        self._check()
        return await super().search(request, timeout_s)

    async def product(self, request: ProductRequest, timeout_s: float) -> ProductResponse:
        self._check()
        return await super().product(request, timeout_s)

    async def details(self, request: DetailsRequest, timeout_s: float) -> DetailsResponse:
        self._check()
        return await super().details(request, timeout_s)

    async def status(self, timeout_s: float, request: StatusRequest | None = None) -> StatusResponse:
        self._check()
        return await super().status(timeout_s, request)

    async def close(self) -> None:
        """Brokers come and go here; the tier ends its lines."""

    def _check(self) -> None:
        if self.cut:
            raise TransientError(UNREACHABLE, "the line is cut")


class Gate:
    """Before the readers of a slot: `shut` keeps new ones from opening, those in `stalled` read nothing."""

    def __init__(self, topic: MemoryTopic) -> None:
        self._topic = topic
        self.shut = False
        self.stalled: set[MemoryReader] = set()
        self.stall_new = False

    def open(self, offsets: Mapping[int, int | None]) -> MemoryReader:
        if self.shut:
            raise TransientError("not_ready", "the gate is shut")
        reader = _GatedReader(self, self._topic.partitions, offsets)
        if self.stall_new:
            self.stalled.add(reader)
        return reader


class _GatedReader(MemoryReader):
    def __init__(self, gate: Gate, partitions: Sequence[MemoryPartition], offsets: Mapping[int, int | None]) -> None:
        super().__init__(partitions, offsets)
        self._gate = gate

    def poll(self, max_records: int = 1000, timeout_s: float = 0.1) -> list[Any]:
        return super().poll(0 if self in self._gate.stalled else max_records, timeout_s)


class Tier:
    """Hosts of every slot, made when a broker first connects to one, over one folder of generations and one topic.

    `extractor_id`, `dimension`: of the live index.
    """

    def __init__(self, home: Path, extractor_id: str = EXTRACTOR, dimension: int = DIMENSION) -> None:
        self.settings = settings_in(home)
        self._live = Untuned(extractor_id, dimension)
        self.topic = MemoryTopic(2)
        self.topic.send(batch(extractor_id))
        self.generations = Generations(self.settings.layout.generations)
        self.lines: dict[int, Line] = {}
        self.gates: dict[int, Gate] = {}
        self._hosts: list[SearcherHost] = []
        self._brokers: list[BrokerService] = []

    def connect(self, shard: int, replica: int) -> SearchBackend:
        if shard not in self.lines:
            gate = self.gates[shard] = Gate(self.topic)
            metrics = SearcherMetricFamilies(CollectorRegistry()).of(shard, replica)
            slot = Slot(self.settings, shard, replica, self._live, metrics, gate.open)
            host = SearcherHost(slot, look_s=POLL_S, forget_after_s=FORGET_AFTER_S)
            host.start()
            self._hosts.append(host)
            self.lines[shard] = Line(host)
        return self.lines[shard]

    def broker(self, **options: Any) -> BrokerService:
        broker = BrokerService(self.connect, 2, generations=self.generations, poll_s=POLL_S, **options)
        self._brokers.append(broker)
        return broker

    def build(self, name: str, shards: int = 2, extractor_id: str = EXTRACTOR, **times: int) -> Generation:
        """A full index of the products name0, name1, ... as of now."""
        deltas = stocked(name, extractor_id, **times)
        return build_generation(self.settings, deltas, self.topic.ends(), shards=shards, extractor_id=extractor_id)

    async def close(self) -> None:
        for broker in self._brokers:
            await broker.close()
        await asyncio.gather(*(asyncio.to_thread(host.stop) for host in self._hosts))
        for line in self.lines.values():
            await LocalBackend.close(line)


@asynccontextmanager
async def tier_in(home: Path, extractor_id: str = EXTRACTOR, dimension: int = DIMENSION) -> AsyncIterator[Tier]:
    tier = Tier(home, extractor_id, dimension)
    try:
        yield tier
    finally:
        await tier.close()


async def ask(broker: BrokerService, generation: str = "", extractor_id: str = EXTRACTOR) -> tuple[str, set[str]]:
    """The generation that answered and the letters of the products found, which are all that it has."""
    request = query(direction(1), limit=100, extractor_id=extractor_id)
    request.generation = generation
    answer = await broker.search(request, TIMEOUT_S)
    assert list(answer.missing_shards) == []
    found = [hit.product_id for hit in hits(answer)]
    assert len(found) == len(set(found))
    return answer.generation, {product[0] for product in found}


async def until(condition: Callable[[], bool], what: str) -> None:
    for _ in range(12_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within 120 s: {what}")


async def serves(broker: BrokerService, name: str) -> None:
    """Waits until that generation serves, and all of it."""
    for _ in range(12_000):
        status = await broker.status(TIMEOUT_S)
        if status.serving == name and all(entry.ready for entry in status.shards if entry.serving):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{name} does not serve within 120 s")
