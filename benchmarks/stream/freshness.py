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

A rate at which a probe is not shown within a minute is not sustained: what was
seen until then is written down, and no higher rate is tried.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.harness.processes import CpuMeter
from benchmarks.harness.result import write_result
from benchmarks.harness.system import FIRST_PORT, BenchSystem, bench_settings, temporary_home
from benchmarks.load.drawn import drawn_features
from benchmarks.load.events import LoadGenerator
from benchmarks.load.probes import FIRST_SENDS_S, POLL_S, PROBE_PRODUCTS, Probe, Probed, send_probes
from benchmarks.load.shop import Kind, Shop, fill_feature_store
from cli.topics_view import topic_views
from messaging.consumer import PartitionReader
from messaging.producer import EventProducer
from schemas.deltas.delta import decode_deltas
from schemas.ids import EPOCH_SHIFT, shard_of_product
from schemas.settings import Settings
from schemas.topics import INDEX_DELTAS, PRODUCT_EVENTS

WARM_UP_S = 20.0
"""Of each rate: a JVM that has just started compiles, and a system that serves a shop has not just started."""


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

    def close(self) -> None:
        for reader in self._readers:
            reader.close()

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
        self.close()
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
    """One rate: warm up, then measure. `problem` among the figures: it was not sustained, see `unsustained`."""
    settings = system.settings
    probes_per_s = min(probes_per_s, per_s / 2)
    load.begin("mix", int((per_s - probes_per_s) * (seconds + FIRST_SENDS_S + WARM_UP_S + 1)), per_s - probes_per_s)
    time.sleep(WARM_UP_S)
    log, meter = DeltaLog(settings), CpuMeter(system, {"load-generator": load.pid})
    probed = asyncio.run(send_probes(settings, shop, seconds, probes_per_s))
    cores = meter.cores()
    if probed.problem:
        log.close()
        return {**unsustained(system, probed, load.end().per_s, per_s), "cores": cores}
    probes, produced = probed.probes, load.wait()
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


def unsustained(system: BenchSystem, probed: Probed, load_per_s: float, per_s: float) -> dict[str, Any]:
    """What there is to say of a rate at which a probe was given up: how far the others came, and what lies behind."""
    shown = [probe.shown_ms - probe.sent_ms for probe in probed.shown]
    behind = {topic.name: topic.lag or 0 for topic in topic_views(system.settings.kafka)}[PRODUCT_EVENTS]
    return {
        "problem": f"{per_s:g} events/s are not sustained: {probed.problem}; "
        f"{len(probed.probes) - len(shown)} of {len(probed.probes)} probes were not shown, {behind:,} events wait. "
        f"Try lower --rates, or end what else runs here (load {os.getloadavg()[0]:.0f})",
        "shown_share": round(len(shown) / max(1, len(probed.probes)), 3),
        **({"event_to_searchable_ms_of_those_shown": distribution(shown)} if shown else {}),
        "events_waiting": behind,
        "watermark_age_ms": round(system.watermark_lag_ms()),
        "probes": len(probed.probes),
        "load_events_per_s": round(load_per_s, 1),
    }


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
    figures: dict[str, Any] = {}
    with temporary_home() as home:
        asked = {"encoder": arguments.encoder, "bundle_time_ms": arguments.bundle_time_ms}
        settings = bench_settings(home, arguments.first_port, **{name: value for name, value in asked.items() if value})
        drawn = drawn_features(settings)
        fill_feature_store(settings, drawn, arguments.images + PROBE_PRODUCTS)
        try:
            with BenchSystem(settings).running() as system:
                _measure_rates(system, arguments, figures)
        finally:
            if figures:  # also those before one that ended the benchmark
                _write(arguments, settings, drawn.look.extractor_id, figures)
    for rate, found in figures.items():
        print(found.get("problem") or f"{rate} {found['event_to_searchable_ms']}")
    return 0


def _measure_rates(system: BenchSystem, arguments: argparse.Namespace, figures: dict[str, Any]) -> None:
    """One rate after the other into `figures`, up to the first that is not sustained."""
    settings = system.settings
    load = LoadGenerator(settings.kafka, arguments.images)
    probed = listed(system, load, arguments.images)
    for per_s in arguments.rates:
        with system.progress.step(f"{per_s:g} events/s for {arguments.seconds:g} s"):
            found = measure(system, load, probed, per_s, arguments.probes, arguments.seconds)
            figures[f"at_{per_s:g}_per_s"] = found
        if "problem" in found:
            break
    load.close()


def _write(arguments: argparse.Namespace, settings: Settings, extractor_id: str, figures: dict[str, Any]) -> None:
    parameters = {
        **vars(arguments),
        "extractor": extractor_id,
        "shards": settings.shards,
        "bundle_time_ms": settings.bundle_time_ms,
        "mix": "JD's, of known images: 33 % attribute updates, 53 % additions, 14 % removals",
        "poll_ms": 1000 * POLL_S,
    }
    write_result(arguments.name, parameters, figures)


if __name__ == "__main__":
    raise SystemExit(main())
