"""Stores in the home and stores on a server, turn by turn in one run, one thread: the store's own calls, and the stage.

    python -m benchmarks.stream.stores [--products 20000]

The server is Valkey on the loopback address, with an append-only file that is
written out every second; it has a process of its own, whose processor time is
counted beside this one's. `calls` are what the catalogue stage asks of the
product store, per batch; `stage` is that stage whole, on changes of prices,
from decoded record to worded delta. Each figure is the median over rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil

from benchmarks.harness.result import rounded, write_result
from benchmarks.load.store_server import RunningServer
from benchmarks.stream.store import at_rest, product
from feature_store.open import live_catalogue, make_stores
from feature_store.products import ProductStore
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.stage import Record
from schemas.events.record import ProductRecord
from schemas.ids import kafka_partition
from schemas.settings import Settings, load_settings

BATCHES = (10, 100, 1000)
ROUNDS = 7
ROUND_S = 0.4
EXTRACTOR = "benchmark"
KINDS = ("rocksdb", "server")


class _Counts:
    """The metrics of a stage, counted by nobody."""

    def count(self, name: str, n: int = 1) -> None:
        pass

    def gauge(self, name: str, value: float) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--name", default="stores", help="of the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-stores-") as folder:
        server = RunningServer(Path(folder) / "server", fsync="everysec")
        try:
            homes = {
                "rocksdb": load_settings({}, home=f"{folder}/local"),
                "server": load_settings({}, home=f"{folder}/away", store=f"redis://127.0.0.1:{server.port}"),
            }
            make_stores(homes["server"])
            figures = measure(homes, psutil.Process(server.pid), arguments.products)
        finally:
            server.stop()
    parameters = {"products": arguments.products, "server": "valkey, loopback, appendfsync everysec", "threads": 1}
    write_result(arguments.name, parameters, rounded(figures))


def measure(homes: dict[str, Settings], server: psutil.Process, products: int) -> dict[str, Any]:
    figures: dict[str, Any] = {f"calls_batch_{batch}": calls(homes, server, products, batch) for batch in BATCHES}
    return figures | {f"stage_batch_{batch}": stage(homes, server, products, batch) for batch in BATCHES}


def calls(homes: dict[str, Settings], server: psutil.Process, products: int, batch: int) -> dict[str, Any]:
    """`get_many` and `write` of products drawn at random, partition 0."""
    records = [product(f"sku-{number:09d}", number) for number in range(products)]
    stores = {kind: ProductStore(live_catalogue(settings)) for kind, settings in homes.items()}
    for store in stores.values():
        for start in range(0, products, 1000):
            store.write(0, records[start : start + 1000], 1)
    draw = random.Random(1)
    drawn = [draw.choices(records, k=batch) for _ in range(200)]

    def reading(store: ProductStore) -> Callable[[list[ProductRecord]], object]:
        return lambda some: store.get_many(0, [each.product_id for each in some])

    def writing(store: ProductStore) -> Callable[[list[ProductRecord]], object]:
        return lambda some: store.write(0, some, 1)

    found: dict[str, Any] = {}
    for name, call in (("get", reading), ("write", writing)):
        took = turns({kind: call(store) for kind, store in stores.items()}, drawn, server)
        for kind in KINDS:
            for figure, value in took[kind].items():
                found[f"{kind}_{name}_{figure}"] = value
    for store in stores.values():
        store.close()
    return found


def stage(homes: dict[str, Settings], server: psutil.Process, products: int, batch: int) -> dict[str, Any]:
    """The catalogue stage on batches of changed prices, of one partition each as Kafka's reader gives them."""
    stages: dict[str, CatalogueStage] = {}
    for kind, settings in homes.items():
        stages[kind] = CatalogueStage(CatalogueConfig.from_settings(settings, [EXTRACTOR]))
        stages[kind].open(_Counts())
    partitions = homes["rocksdb"].event_partitions
    owned: list[list[str]] = [[] for _ in range(partitions)]
    for number in range(products):
        owned[kafka_partition(f"p{number}".encode(), partitions)].append(f"p{number}")
    offsets = [batch * 10**7] * partitions  # beyond those of the batches measured before
    draw = random.Random(batch)

    def next_batch(number: int, kind: str) -> list[Record]:
        partition = number % partitions
        records = []
        for _ in range(batch):
            product_id, price = draw.choice(owned[partition]), draw.random()
            value: dict[str, Any] = {"type": kind, "product_id": product_id, "product": {"price": price}}
            if kind == "product_added":
                value["images"] = [{"url": f"https://h/{product_id}.jpg"}]
            offsets[partition] += 1
            records.append(Record(None, json.dumps(value).encode(), partition, offsets[partition], 1_700_000_000_000))
        return records

    known = [next_batch(number, "product_added") for number in range(max(4, 8 * products // batch // 4))]
    for each in stages.values():
        for some in known:
            each.process(some)
    updates = [next_batch(number, "product_updated") for number in range(max(40, 300_000 // batch))]
    took = turns({kind: each.process for kind, each in stages.items()}, updates, server, again=False)
    for each in stages.values():
        each.close()
    found = {f"{kind}_{figure}": value for kind in KINDS for figure, value in took[kind].items()}
    rates = [took[kind]["per_s"] for kind in KINDS]
    return found | {"server_rate_of_rocksdb": rates[1] / rates[0]}


def turns(
    callers: dict[str, Callable[[list[Any]], object]],
    batches: list[list[Any]],
    server: psutil.Process,
    again: bool = True,
) -> dict[str, dict[str, float]]:
    """Items a second, milliseconds a batch, and microseconds of processor time an item, ours and the server's.

    `again`: batches may be used again; otherwise it ends with them.
    """
    at_rest()
    rates: dict[str, list[float]] = {kind: [] for kind in callers}
    ours: dict[str, list[float]] = {kind: [] for kind in callers}
    theirs: dict[str, list[float]] = {kind: [] for kind in callers}
    batch_ms: dict[str, list[float]] = {kind: [] for kind in callers}
    position = dict.fromkeys(callers, 0)
    for _ in range(ROUNDS):
        for kind, call in callers.items():
            done, began, cpu, away = 0, time.perf_counter(), time.process_time(), busy_s(server)
            while time.perf_counter() - began < ROUND_S and (again or position[kind] < len(batches)):
                before = time.perf_counter()
                call(batches[position[kind] % len(batches)])
                batch_ms[kind].append((time.perf_counter() - before) * 1000)
                position[kind] += 1
                done += len(batches[0])
            if done:
                rates[kind].append(done / (time.perf_counter() - began))
                ours[kind].append((time.process_time() - cpu) / done * 1e6)
                theirs[kind].append((busy_s(server) - away) / done * 1e6)
    return {
        kind: {
            "per_s": round(median(rates[kind])),
            "batch_p50_ms": median(batch_ms[kind]),
            "batch_p99_ms": quantiles(batch_ms[kind], n=100)[98],
            "cpu_us": median(ours[kind]),
            "cpu_of_server_us": median(theirs[kind]),
        }
        for kind in callers
    }


def busy_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
