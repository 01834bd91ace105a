"""Small full indexes on disk, built by the real builder, and searchers of them over index-deltas in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import structs
from prometheus_client import CollectorRegistry

from generations.described import describe_shard
from generations.folder import Generations, new_name, write_learned
from indexing.build.builder import BuildSettings, ShardBuilder
from indexing.look.looks import Look, Tuned, Untuned
from indexing.look.part import KIND
from indexing.look.stored import encode_tuning
from indexing.shard.deltas import ShardDeltas
from schemas.deltas.delta import DeltaBatch, decode_deltas, encode_deltas
from schemas.full_index.generation import Generation
from schemas.full_index.learned import LearnedPart, checksum_of
from schemas.ids import shard_of_image
from schemas.search_pb2 import SearchRequest, ShardStatus, StatusRequest
from schemas.settings import Settings, load_settings
from serving.searcher.feeding.feed import OpenReader
from serving.searcher.holding.slot import Slot
from serving.searcher.host import SearcherHost
from serving.searcher.metrics import SearcherMetricFamilies
from tests.support.serving.found import hits
from tests.support.serving.world import DIMENSION, EXTRACTOR, MemoryTopic, batch, direction, listed, near, query

LOOK_S = 0.01
WAIT_S = 120.0
FORGET_AFTER_S = 0.1
"""Short, so that tests need not wait for what takes seconds in a shop; a loaded machine may let it pass between two
steps of a test that names a generation, and such a test wants more."""

STOCK = [f"p{n}" for n in range(20)]
"""Products of the topic that tests begin with."""


def settings_in(home: Path, **values: Any) -> Settings:
    values = {"shards": 2, "event_partitions": 1, "snapshot_interval_s": 3600.0} | values
    return load_settings({}, home=str(home), **values)


def build_generation(
    settings: Settings,
    deltas: DeltaBatch,
    offsets: Sequence[int],
    *,
    shards: int = 2,
    extractor_id: str = EXTRACTOR,
    build: BuildSettings | None = None,
    name: str = "",
    look: Tuned | None = None,
) -> Generation:
    """A sealed generation of the images in `deltas`, to which those from `offsets` on are to be applied.

    look: what its vectors are made by, of deltas with base features.
    """
    made: Look = look or Untuned(extractor_id, DIMENSION)
    generations = Generations(settings.layout.generations)
    name = name or new_name()
    partitions = len(offsets)
    made_in = generations.folder / f".build-{name}"
    sealed = []
    for number in range(shards):
        own = ShardDeltas(number, shards, partitions)
        folder = made_in / f"shard-{number}"
        whole = decode_deltas(encode_deltas(deltas))
        whole.progress = [entry for p in own.partitions for entry in own.progress(deltas.progress, p)]
        part = DeltaBatch(extractor_id=whole.extractor_id, progress=whole.progress)
        for row, image in enumerate(whole.image_id):
            if shard_of_image(image, shards) == number:
                for column in DeltaBatch.__slots__:
                    if column not in ("extractor_id", "progress"):
                        getattr(part, column).append(getattr(whole, column)[row])
        with ShardBuilder(folder, made.extractor_id, made.dimension, build, made) as builder:
            builder.add(part)
            builder.seal({p: offsets[p] for p in own.partitions}, name)
        sealed.append(structs.replace(describe_shard(folder), recall=1.0))
    generation = Generation(
        name=name,
        created_ms=1,
        extractor_id=made.extractor_id,
        encoder="test_encoder",
        weights="",
        dimension=made.dimension,
        learned=[] if look is None else [learned_look(made_in, look)],
        delta_partitions=partitions,
        delta_offsets=list(offsets),
        shards=sealed,
        catalogue_valid=sum(shard.valid for shard in sealed),
        catalogue_digests=[shard.digest for shard in sealed],
    )
    generations.add(made_in, generation)
    return generation


def learned_look(folder: Path, look: Tuned) -> LearnedPart:
    """The entry of a tuning in a generation, whose file is written into its folder."""
    data = encode_tuning(look.tuning)
    entry = LearnedPart(
        kind=KIND, inputs={"extractor_id": look.features_id}, size=len(data), checksum=checksum_of(data), used=True
    )
    write_learned(folder, entry, data)
    return entry


def products(names: Sequence[str] = STOCK, offset: int = 1, extractor_id: str = EXTRACTOR) -> DeltaBatch:
    deltas = batch(extractor_id)
    for name in names:
        listed(deltas, name, [near(direction(1), int(name[1:]))], offset=offset)
    return deltas


def generations(settings: Settings) -> Generations:
    return Generations(settings.layout.generations)


def published(settings: Settings, topic: MemoryTopic, **how: int) -> str:
    """A generation of what the topic holds now, named by the alias."""
    name = build_generation(settings, products(), topic.ends(), **how).name
    generations(settings).serve(name)
    return name


class Searcher:
    """A host of one slot and its metrics; `held` while `with searcher.running()`."""

    def __init__(
        self,
        settings: Settings,
        topic: MemoryTopic,
        shard: int = 0,
        open_reader: OpenReader | None = None,
        forget_after_s: float = FORGET_AFTER_S,
    ) -> None:
        self.families = SearcherMetricFamilies(CollectorRegistry())
        self.slot = Slot(
            settings, shard, 0, Untuned(EXTRACTOR, DIMENSION), self.families.of(shard, 0), open_reader or topic.open
        )
        self.host = SearcherHost(self.slot, look_s=LOOK_S, forget_after_s=forget_after_s)

    def found(self, generation: str = "", number: int = 1) -> list[str]:
        request: SearchRequest = query(direction(number), limit=1000)
        request.generation = generation
        return sorted(hit.product_id for hit in hits(self.host.search(request)))

    def answered_by(self) -> str:
        return self.host.search(query(direction(1))).generation

    def status(self, *named: str) -> dict[str, ShardStatus]:
        """By generation; `named`: what a broker says that it routes to."""
        request = StatusRequest(asker="broker" if named else "", generations=named)
        return {status.generation: status for status in self.host.status(request).shards}

    def ready(self) -> list[str]:
        return [name for name, status in self.status().items() if status.ready]

    def metric(self, name: str, **labels: str) -> float | None:
        own = {"shard": str(self.slot.shard), "replica": "0", **labels}
        return self.families.registry.get_sample_value(f"vitrine_searcher_{name}", own)


def error(searcher: Searcher, name: str) -> str:
    status = searcher.status().get(name)
    return "" if status is None else status.error


@contextmanager
def running(searcher: Searcher) -> Iterator[Searcher]:
    searcher.host.start()
    try:
        yield searcher
    finally:
        searcher.host.stop()


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {WAIT_S:.0f} s"
        time.sleep(0.002)
