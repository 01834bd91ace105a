"""A searcher with a running feed over an in-memory log, and what tests ask of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from indexing.look.looks import Untuned
from indexing.shard.deltas import ShardDeltas
from schemas.deltas.check import DeltaCheck
from schemas.deltas.delta import DeltaBatch
from serving.searcher.feeding.feed import DeltaFeed, OpenReader
from serving.searcher.service import SearcherService
from tests.support.serving.found import hits
from tests.support.serving.world import (
    DIMENSION,
    EXTRACTOR,
    MemoryPartition,
    batch,
    direction,
    listed,
    query,
)


@contextmanager
def fed(
    partition: MemoryPartition,
    folder: Path,
    *,
    interval_s: float = 3600.0,
    accept_gap: bool = False,
    open_reader: OpenReader | None = None,
    extractor_id: str = EXTRACTOR,
) -> Iterator[SearcherService]:
    """A searcher with a running feed; stopped (with its last snapshot) at the end."""
    searcher = SearcherService(0, 0, Untuned(extractor_id, DIMENSION))
    running = DeltaFeed(
        searcher,
        ShardDeltas(0, 1, 1),
        open_reader or partition.open,
        folder / "snapshot",
        interval_s,
        check=DeltaCheck(1, 1),
        accept_gap=accept_gap,
    )
    running.start()
    try:
        yield searcher
    finally:
        running.stop()


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 120 s"
        time.sleep(0.002)


def found(searcher: SearcherService) -> list[str]:
    return [hit.product_id for hit in hits(searcher.search(query(direction(1))))]


def error_of(searcher: SearcherService) -> str:
    return searcher.status().shards[0].error


def of(*products: str, offset: int = 1) -> DeltaBatch:
    deltas = batch()
    for product in products:
        listed(deltas, product, [direction(1)], offset=offset)
    return deltas
