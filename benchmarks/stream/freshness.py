"""Benchmark `freshness`: from an event's production until the searcher shows it, through Kafka, Flink and Kafka.

A load generator produces JD's mix of known images at a steady rate. Beside it
this process sends probes, part of that rate: attribute updates, additions and
removals of products of its own. It asks the probed product's searcher over
gRPC every few milliseconds until the answer shows the change: the event's own
price and the image searchable, or the image gone; every fifth change of
attributes is of the title, and is shown once a search for its new word finds
the product. A latency runs from just
before the producer's `send` to that answer, so it contains the polling (half a
poll on average) and is never less than what a shopper would see.

Where the time goes follows from two time stamps, of whole milliseconds: when
the broker appended the event, and when Flink's sink was handed the delta
record that contains it.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc.aio
import numpy as np

from benchmarks.harness.processes import CpuMeter
from benchmarks.harness.result import write_result
from benchmarks.harness.system import FIRST_PORT, BenchSystem, bench_settings, temporary_home
from benchmarks.load.drawn import drawn_features
from benchmarks.load.events import LoadGenerator
from benchmarks.load.shop import Event, Kind, Shop, fill_feature_store, retitled
from messaging.consumer import PartitionReader
from messaging.producer import EventProducer
from schemas.deltas.delta import decode_deltas
from schemas.ids import EPOCH_SHIFT, shard_of_product
from schemas.search_pb2 import ProductRequest, ReplicaStatus, SearchRequest
from schemas.search_pb2_grpc import SearchStub
from schemas.settings import Settings
from schemas.topics import INDEX_DELTAS, PRODUCT_EVENTS

PROBE_PRODUCTS = 1000
TITLES_EVERY = 5
POLL_S = 0.002
FIRST_SENDS_S = 2.0
"""Probes of the first seconds are not counted: a producer's first sends wait for metadata and its producer id."""
WARM_UP_S = 20.0
"""Of each rate: a JVM that has just started compiles, and a system that serves a shop has not just started."""
GIVE_UP_S = 60.0


@dataclass(slots=True)
class Probe:
    """Times are Unix milliseconds; `appended_ms` and the position come with the broker's receipt."""

    event: Event
    sent_ms: float
    shown_ms: float = 0.0
    partition: int = -1
    offset: int = -1
    appended_ms: int = 0
    word: str = ""

    def note_receipt(self, error: object, message: Any) -> None:
        if error is not None:
            raise RuntimeError(f"a probe was not written: {error}")
        self.partition, self.offset, self.appended_ms = message.partition(), message.offset(), message.timestamp()[1]


async def send_probes(settings: Settings, shop: Shop, seconds: float, per_s: float) -> list[Probe]:
    """Sends at a steady pace and watches each until the searcher shows it; those of the first sends are left out."""
    channels = [grpc.aio.insecure_channel(settings.tier.searcher(shard)) for shard in range(settings.shards)]
    stubs: list[Any] = [SearchStub(channel) for channel in channels]  # type: ignore[no-untyped-call]
    events = shop.mix()
    probes: list[Probe] = []
    watching: list[asyncio.Task[None]] = []
    busy: set[bytes] = set()
    first_word = time.time_ns() // 1_000_000  # no other rate's words: two products with one cannot be told apart
    began = time.perf_counter()
    with EventProducer(settings.kafka, linger_ms=0.0) as producer:
        while (elapsed := time.perf_counter() - began) < FIRST_SENDS_S + seconds:
            await asyncio.sleep(max(0.0, len(probes) / per_s - elapsed))
            event = next(events)
            while event.key in busy:  # two changes of one product at a time could not be told apart
                await asyncio.sleep(POLL_S)
            busy.add(event.key)
            word = ""
            if event.kind is Kind.ATTRIBUTES and len(probes) % TITLES_EVERY == 0:
                word = f"word{first_word + len(probes)}x"
                event = retitled(event, word)
            probe = Probe(event, time.time_ns() / 1e6, word=word)
            probes.append(probe)
            producer.send(PRODUCT_EVENTS, event.key, event.value, delivered=probe.note_receipt)
            stub = stubs[shard_of_product(event.key.decode(), settings.shards)]
            watching.append(asyncio.create_task(_watch(stub, probe, busy)))
        await asyncio.gather(*watching)
    for channel in channels:
        await channel.close(None)
    first_ms = probes[0].sent_ms if probes else 0.0
    return [probe for probe in probes if probe.sent_ms >= first_ms + 1000 * FIRST_SENDS_S]


async def _watch(searcher: Any, probe: Probe, busy: set[bytes]) -> None:
    request = ProductRequest(product_id=probe.event.key.decode())
    words = SearchRequest(words=f"{probe.word} ", list_limit=1)
    while True:
        if probe.word:
            answer = await searcher.Search(words, timeout=GIVE_UP_S)
            shown = list(answer.listed.product_ids) == [request.product_id]
        else:
            answer = await searcher.Product(request, timeout=GIVE_UP_S)
            shown = shows(answer.replicas[0], probe.event)
        now_ms = time.time_ns() / 1e6
        if shown:
            probe.shown_ms = now_ms
            busy.discard(probe.event.key)
            return
        if now_ms - probe.sent_ms > 1000 * GIVE_UP_S:
            raise RuntimeError(f"not shown within {GIVE_UP_S:.0f} s: {probe}, the searcher has {answer}")
        await asyncio.sleep(POLL_S)


def shows(status: ReplicaStatus, event: Event) -> bool:
    """Whether the searcher's answer is that after the event."""
    if event.kind is Kind.REMOVED:
        return not any(image.valid for image in status.images)
    return bool(status.price == event.price and any(image.searchable for image in status.images))


class DeltaLog:
    """The delta records written since it was made: when which part of product-events was handed to Kafka."""

    def __init__(self, settings: Settings) -> None:
        self._readers = [PartitionReader(settings.kafka, INDEX_DELTAS, shard, None) for shard in range(settings.shards)]
        for shard, reader in enumerate(self._readers):
            end = reader.end_offset()
            reader.close()
            self._readers[shard] = PartitionReader(settings.kafka, INDEX_DELTAS, shard, end)
        self.records = 0
        self.deltas = 0

    def emitted_ms(self, probes: Sequence[Probe], shards: int) -> list[float]:
        """Per probe the time stamp of the first delta record of its shard that reflects it. Reads, then closes."""
        reached: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        for shard, reader in enumerate(self._readers):
            end = reader.end_offset()
            while reader.position < end:
                for message in reader.poll(500, 1.0):
                    batch = decode_deltas(message.value or b"")
                    self.records += 1
                    self.deltas += len(batch)
                    for progress in batch.progress:
                        offset = (progress.sequence & (1 << EPOCH_SHIFT) - 1) - 1
                        reached[shard, progress.partition].append((offset, message.timestamp_ms))
            reader.close()
        found = []
        for probe in probes:
            steps = reached[shard_of_product(probe.event.key.decode(), shards), probe.partition]
            found.append(float(steps[bisect.bisect_left(steps, (probe.offset, 0))][1]))
        return found


def distribution(values: Sequence[float]) -> dict[str, float]:
    """Mean and percentiles, rounded to 0.1 (milliseconds)."""
    array = np.array(values)
    figures = {"mean": array.mean()} | {f"p{q}": np.percentile(array, q) for q in (50, 90, 99)} | {"max": array.max()}
    return {name: round(float(value), 1) for name, value in figures.items()}


def measure(
    system: BenchSystem, load: LoadGenerator, shop: Shop, per_s: float, probes_per_s: float, seconds: float
) -> dict[str, Any]:
    """One rate: warm up, then measure."""
    settings = system.settings
    probes_per_s = min(probes_per_s, per_s / 2)
    load.begin("mix", int((per_s - probes_per_s) * (seconds + FIRST_SENDS_S + WARM_UP_S + 1)), per_s - probes_per_s)
    time.sleep(WARM_UP_S)
    log, meter = DeltaLog(settings), CpuMeter(system, {"load-generator": load.pid})
    probes = asyncio.run(send_probes(settings, shop, seconds, probes_per_s))
    cores = meter.cores()
    produced = load.wait()
    emitted = log.emitted_ms(probes, settings.shards)
    by_kind: dict[str, list[float]] = defaultdict(list)
    for probe in probes:
        by_kind[probe.event.kind.value].append(probe.shown_ms - probe.sent_ms)
    span: Callable[[Sequence[float]], dict[str, float]] = distribution
    titles = by_kind.get(Kind.TITLE.value)  # none where the system is so far behind that few probes get through
    return {
        "event_to_searchable_ms": span([probe.shown_ms - probe.sent_ms for probe in probes]),
        **({"title_to_found_by_word_ms": span(titles)} if titles else {}),
        "by_kind_mean_ms": {kind: round(float(np.mean(times)), 1) for kind, times in sorted(by_kind.items())},
        "where_the_time_goes_ms": {
            # Time stamps are cut to whole milliseconds: half a millisecond is given back.
            "producer_to_log": span([p.appended_ms + 0.5 - p.sent_ms for p in probes]),
            "log_to_delta_by_flink": span([e - p.appended_ms for p, e in zip(probes, emitted, strict=True)]),
            "delta_to_searchable": span([p.shown_ms - e - 0.5 for p, e in zip(probes, emitted, strict=True)]),
        },
        "probes": len(probes),
        "load_events_per_s": round(produced.per_s, 1),
        "deltas_per_record": round(log.deltas / max(1, log.records), 2),
        "cores": cores,
    }


def listed(system: BenchSystem, load: LoadGenerator, images: int) -> Shop:
    """Lists the load's products, of so many images, and beside them those that probes change, which are given back."""
    probed = Shop(PROBE_PRODUCTS, seed=7, first=images)
    with system.progress.step(f"listing {images} products"):
        with EventProducer(system.settings.kafka) as producer:
            for event in probed.listings():
                producer.send(PRODUCT_EVENTS, event.key, event.value)
        system.until_applied(load.run("listings", images).last_append_ms)
        system.until_trained()
    return probed


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream.freshness", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000, help="in the index before the measurement")
    parser.add_argument("--rates", type=float, nargs="+", default=[50.0, 500.0, 5000.0], help="events/s")
    parser.add_argument("--probes", type=float, default=20.0, help="probes/s among them")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each rate")
    parser.add_argument("--bundle-time-ms", type=int, default=0, help="default: the system's")
    parser.add_argument("--encoder", default="", help="default: the system's")
    parser.add_argument("--first-port", type=int, default=FIRST_PORT)
    parser.add_argument("--name", default="freshness", help="name of the result file")
    arguments = parser.parse_args(argv)
    with temporary_home() as home:
        asked = {"encoder": arguments.encoder, "bundle_time_ms": arguments.bundle_time_ms}
        settings = bench_settings(home, arguments.first_port, **{name: value for name, value in asked.items() if value})
        drawn = drawn_features(settings)
        fill_feature_store(settings, drawn, arguments.images + PROBE_PRODUCTS)
        with BenchSystem(settings).running() as system:
            load = LoadGenerator(settings.kafka, arguments.images)
            probed = listed(system, load, arguments.images)
            figures = {}
            for per_s in arguments.rates:
                with system.progress.step(f"{per_s:g} events/s for {arguments.seconds:g} s"):
                    found = measure(system, load, probed, per_s, arguments.probes, arguments.seconds)
                    figures[f"at_{per_s:g}_per_s"] = found
            load.close()
    parameters = {
        **vars(arguments),
        "extractor": drawn.look.extractor_id,
        "shards": settings.shards,
        "bundle_time_ms": settings.bundle_time_ms,
        "mix": "JD's, of known images: 33 % attribute updates, 53 % additions, 14 % removals",
        "poll_ms": 1000 * POLL_S,
    }
    write_result(arguments.name, parameters, figures)
    for rate, found in figures.items():
        print(rate, found["event_to_searchable_ms"])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
