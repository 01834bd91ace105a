"""Searchers over real Kafka while full indexes come and go: two shards become three under a stream of deltas."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from generations.folder import Generations
from messaging.admin import describe
from messaging.consumer import PartitionsReader
from messaging.producer import EventProducer
from schemas.deltas.delta import DeltaBatch
from schemas.full_index.generation import Generation
from schemas.settings import Settings
from schemas.topics import INDEX_DELTAS
from tests.support.serving.found import hits
from tests.support.serving.generations import Searcher, build_generation, running, settings_in, wait
from tests.support.serving.world import WATERMARK_MS, MemoryTopic, batch, direction, listed, near, query, removed

PARTITIONS = 2
STOCK = [f"swap{n}" for n in range(60)]

pytestmark = pytest.mark.integration


def stock(names: list[str], offset: int = 1, step: int = 0) -> DeltaBatch:
    deltas = batch(timestamp_ms=WATERMARK_MS + step)
    for name in names:
        listed(deltas, name, [near(direction(1), int(name[4:]))], offset=offset, price=float(step))
    return deltas


def ends_of(bootstrap: str) -> list[int]:
    return describe(bootstrap, [INDEX_DELTAS])[INDEX_DELTAS].ends


def send(bootstrap: str, *many: DeltaBatch) -> None:
    """As the stream's writers do: every row to its product's partition, the progress to all."""
    producer = EventProducer(bootstrap)
    for deltas in many:
        split = MemoryTopic(PARTITIONS)
        split.send(deltas)
        for number, partition in enumerate(split.partitions):
            producer.send(INDEX_DELTAS, None, partition.values[0], number)
    producer.flush()


@contextmanager
def updates(bootstrap: str) -> Iterator[None]:
    """Prices change and products go and come while the body runs; at its end `swap0` to `swap9` are removed."""
    stop = threading.Event()

    def write() -> None:
        step = 2
        while not stop.is_set():
            names = [STOCK[(step * 7 + n) % len(STOCK)] for n in range(5)]
            send(bootstrap, stock(names, step, step))
            gone = batch(timestamp_ms=WATERMARK_MS + step)
            removed(gone, STOCK[step % 10], offset=step + 1)
            send(bootstrap, gone)
            step += 2
        last = batch(timestamp_ms=WATERMARK_MS + step)
        for name in STOCK[:10]:
            removed(last, name, offset=step)
        send(bootstrap, last)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def totals(slots: list[Searcher], name: str) -> tuple[int, set[int], list[str]]:
    """Digest, watermarks and products of a generation, over all slots that hold it."""
    digest, watermarks, found = 0, set(), []
    for slot in slots:
        if (status := slot.status().get(name)) is not None:
            digest += int.from_bytes(status.digest, "little")
            watermarks.add(status.watermark_ms)
            found += slot.found(name)
    return digest % 2**128, watermarks, sorted(found)


class Swap:
    """A folder of generations and three slots over the broker's index-deltas."""

    def __init__(self, bootstrap: str, home: Path) -> None:
        self.bootstrap = bootstrap
        self.settings: Settings = settings_in(home, delta_partitions=PARTITIONS)
        self.generations = Generations(self.settings.layout.generations)

    def slot(self, shard: int) -> Searcher:
        return Searcher(
            self.settings,
            MemoryTopic(PARTITIONS),
            shard,
            lambda offsets: PartitionsReader(self.bootstrap, INDEX_DELTAS, offsets),
        )

    def built(self, shards: int) -> Generation:
        """Of the stock as it is first listed, which the topic need not hold any more."""
        return build_generation(self.settings, stock(STOCK), ends_of(self.bootstrap), shards=shards)


def test_two_shards_become_three_while_deltas_flow_and_queries_never_fail(kafka_broker: str, tmp_path: Path) -> None:
    swap = Swap(kafka_broker, tmp_path)
    two, three = swap.built(2).name, swap.built(3).name
    swap.generations.serve(two)
    with ExitStack() as stack:
        slots = [stack.enter_context(running(swap.slot(shard))) for shard in range(3)]
        wait(lambda: [slot.ready() for slot in slots] == [[two], [two], []])
        with updates(kafka_broker):
            swap.generations.serve(three)
            seen: set[str] = set()
            while seen != {three}:
                answers = [slot.host.search(query(direction(1))) for slot in slots[:2]]
                seen = {answer.generation for answer in answers}
                assert seen <= {two, three}
                assert all(hits(answer) for answer in answers)
            swap.generations.hold_beside([two])
            wait(lambda: [{*slot.ready()} for slot in slots] == [{two, three}, {two, three}, {three}])
        ends = ends_of(kafka_broker)

        def caught_up() -> bool:
            statuses = [status for slot in slots for status in slot.status().values()]
            return all(status.delta_offsets[p] == ends[p] for status in statuses for p in status.delta_offsets)

        wait(caught_up)
        before = totals(slots, three)
        assert totals(slots, two) == before
        assert len(before[1]) == 1
        assert not set(STOCK[:10]) & set(before[2])
        swap.generations.hold_beside([])
        wait(lambda: [list(slot.status()) for slot in slots] == [[three]] * 3)
    with ExitStack() as stack:  # again, from the snapshots of three shards
        slots = [stack.enter_context(running(swap.slot(shard))) for shard in range(3)]
        wait(lambda: [slot.ready() for slot in slots] == [[three]] * 3)
        assert totals(slots, three) == before


def test_searcher_without_a_snapshot_takes_the_full_index_and_every_removal_since(
    kafka_broker: str, tmp_path: Path
) -> None:
    swap = Swap(kafka_broker, tmp_path)
    name = swap.built(2).name
    gone = batch()
    for product in STOCK[20:30]:
        removed(gone, product, offset=3)
    send(kafka_broker, gone)
    swap.generations.serve(name)
    with ExitStack() as stack:
        slots = [stack.enter_context(running(swap.slot(shard))) for shard in range(2)]
        wait(lambda: [slot.ready() for slot in slots] == [[name]] * 2)
        _, _, found = totals(slots, name)
        assert found == sorted({*STOCK} - {*STOCK[20:30]})
