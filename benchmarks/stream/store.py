"""The stores' speed in one thread: feature records and product records, by batch size and compression.

    python -m benchmarks.stream.store [--records 40000]

Puts are timed once over all records; every other figure is a median over
rounds. Python's collector is frozen before each, as a stage's is whose
objects outlive a batch only in RocksDB. Reads are of keys drawn at random from
the whole store, from a writer's handle, from a secondary, and of absent keys.
"""

from __future__ import annotations

import argparse
import gc
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.harness.result import write_result
from feature_store.copies import request_checkpoint
from feature_store.features import FeatureStore
from feature_store.products import ProductStore
from feature_store.rocks.files import partition_folder
from feature_store.rocks.store import Compression, RocksStore
from schemas.events.record import ImageEntry, ProductRecord
from schemas.features.record import FeatureRecord
from schemas.ids import content_hash, image_key

PARTITIONS = 4
BATCHES = (10, 100, 1000)
EXTRACTOR = "benchmark"
ROUND_S = 0.5
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=40_000, help="records of each kind")
    parser.add_argument("--dimension", type=int, default=1024, help="of the vectors (4 bytes each)")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-store-") as folder:
        for compression in ("none", "lz4"):
            figures[f"features_{compression}"] = features(
                Path(folder) / f"features-{compression}", compression, arguments.records, arguments.dimension
            )
            figures[f"products_{compression}"] = products(
                Path(folder) / f"products-{compression}", compression, arguments.records
            )
    write_result(
        "store",
        {"records": arguments.records, "dimension": arguments.dimension, "partitions": PARTITIONS, "threads": 1},
        figures,
    )


def features(folder: Path, compression: Compression, count: int, dimension: int) -> dict[str, Any]:
    """Through `FeatureStore`: puts of all records in each batch size, then reads."""
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((count, dimension), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    keys = [image_key(f"https://shop.example/{number}.jpg") for number in range(count)]
    records = [
        FeatureRecord(key, EXTRACTOR, vectors[number].tobytes(), content_hash(key), number, 7.5, f"u{number}")
        for number, key in enumerate(keys)
    ]
    absent = [image_key(f"absent/{number}") for number in range(count)]
    found: dict[str, Any] = {"record_bytes": len(records[0].vector) + 100}
    for batch in BATCHES:
        shutil.rmtree(folder, ignore_errors=True)
        writer = FeatureStore(RocksStore(folder, PARTITIONS, compression=compression), PARTITIONS).writer()
        found[f"put_per_s_batch_{batch}"] = all_once(writer.put_many, records, batch)
        if batch != BATCHES[-1]:
            writer.close()
    found["disk_bytes_per_record"] = round(table_bytes(folder) / count)
    reader = FeatureStore(RocksStore(folder, PARTITIONS), PARTITIONS).reader()
    for batch in BATCHES:
        found[f"get_per_s_batch_{batch}"] = sampled(lambda some: writer.get_many(some, EXTRACTOR), keys, batch)
        found[f"secondary_get_per_s_batch_{batch}"] = sampled(
            lambda some: reader.get_many(some, EXTRACTOR), keys, batch
        )
        found[f"secondary_absent_per_s_batch_{batch}"] = sampled(
            lambda some: reader.get_many(some, EXTRACTOR), absent, batch
        )
    reader.close()
    writer.close()
    found |= upkeep(folder)
    return found


def upkeep(folder: Path) -> dict[str, float]:
    """Milliseconds that a secondary's catch-up and a checkpoint beside it take, in one partition."""
    store = RocksStore(folder, PARTITIONS)
    writer, reader = store.writer(0), store.reader(0)
    idle, behind, checkpoints = [], [], []
    for number in range(20):
        writer.write([(b"upkeep/%d/%d" % (number, i), b"x" * 1000) for i in range(100)])
        behind.append(milliseconds(reader.catch_up))
        idle.append(milliseconds(reader.catch_up))
    for number in range(5):
        writer.write([(b"upkeep/%d/%d" % (number, i), b"x" * 1000) for i in range(1000)])
        copy = folder.with_name(f"{folder.name}-copy-{number}")
        checkpoints.append(milliseconds(lambda copy=copy: writer.checkpoint(copy)))  # type: ignore[misc]
        shutil.rmtree(copy)
    reader.close()
    writer.close()
    return {
        "catch_up_idle_ms": round(median(idle), 3),
        "catch_up_after_100_kb_ms": round(median(behind), 3),
        "checkpoint_after_1_mb_ms": round(median(checkpoints), 1),
    }


def milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def products(folder: Path, compression: Compression, count: int) -> dict[str, Any]:
    """Through `ProductStore`: what the catalogue stage does per batch, one get_many and one write."""
    ids = [f"sku-{number:09d}" for number in range(count)]
    records = [product(product_id, number) for number, product_id in enumerate(ids)]
    store = ProductStore(RocksStore(folder, PARTITIONS, compression=compression))
    found: dict[str, Any] = {"put_per_s_batch_1000": all_once(lambda some: store.write(0, some, 1), records, 1000)}
    found["disk_bytes_per_record"] = round(table_bytes(folder) / count)

    def update(some: list[str]) -> None:
        read = [record for record in store.get_many(0, some) if record is not None]
        for record in read:
            record.sequence += 1
        store.write(0, read, read[-1].sequence)

    for batch in BATCHES:
        found[f"get_per_s_batch_{batch}"] = sampled(lambda some: store.get_many(0, some), ids, batch)
        found[f"get_and_write_per_s_batch_{batch}"] = sampled(update, ids, batch)
    began = time.perf_counter()
    scanned = sum(1 for _ in store.scan(0))
    found["scan_per_s"] = round(scanned / (time.perf_counter() - began))
    store.close()
    return found


def product(product_id: str, number: int) -> ProductRecord:
    attributes: dict[str, Any] = {
        "title": f"Running shoe {number}, light, for the road",
        "category": "shoes/running",
        "brand": f"brand-{number % 97}",
        "colour": "blue",
        "price": 59.9,
        "sales": number,
        "praise": 0.96,
    }
    images = [
        ImageEntry(f"https://cdn.shop.example/images/{product_id}/{position}.jpg", None, number, number)
        for position in range(2)
    ]
    return ProductRecord(product_id, number, True, 7, attributes, images)


def at_rest() -> None:
    """Takes the benchmark's own objects out of the collector's sight."""
    gc.collect()
    gc.freeze()


def all_once(call: Callable[[list[Any]], object], items: list[Any], batch: int) -> int:
    """Items a second, over all items in batches."""
    at_rest()
    began = time.perf_counter()
    for start in range(0, len(items), batch):
        call(items[start : start + batch])
    return round(len(items) / (time.perf_counter() - began))


def sampled(call: Callable[[list[Any]], object], items: list[Any], batch: int) -> int:
    """Items a second, for batches drawn at random: median over rounds."""
    draw = random.Random(2)
    rates = []
    at_rest()
    for _ in range(ROUNDS):
        batches = [draw.choices(items, k=batch) for _ in range(max(1, 20_000 // batch))]
        done, began = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < ROUND_S:
            call(batches[done % len(batches)])
            done += 1
        rates.append(done * batch / elapsed)
    return round(median(rates))


def table_bytes(folder: Path) -> int:
    """Bytes in tables, of checkpoints, which leave nothing in memory or in the write-ahead log."""
    copy = folder.with_name(f"{folder.name}-copy")
    for partition in range(PARTITIONS):
        request_checkpoint(folder, partition, partition_folder(copy, partition))
    total = sum(file.stat().st_size for file in copy.rglob("*.sst"))
    shutil.rmtree(copy)
    return total


if __name__ == "__main__":
    main()
