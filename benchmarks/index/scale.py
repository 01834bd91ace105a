"""Benchmark `scale`: what one shard costs as it grows, from 10,000 to a million images of the default encoder.

One thread, everything in this process. The shard is given base features, of
which the first look makes its vectors. A larger shop has more products, not
more views of the same: the number of the vectors' clusters grows with the
images. At every size the shard trains and chooses `nprobe` itself, for a
recall@10 of 0.99, and is measured against exact search.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import rounded, write_result
from benchmarks.index.shard import LIMIT, Truth, present_vectors, scores_of
from benchmarks.load.drawn import DrawnFeatures
from indexing.lists.projection import PROJECTED
from indexing.look.first import first_look
from indexing.look.looks import Look
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import restore, save
from schemas.settings import Settings
from vision.extractor import extractor_id

faiss: Any = _faiss
IMAGES_PER_CLUSTER = 50
_FILL = 1000
_UPDATES = 100
_ROUNDS = 20


def fill(shard: Shard, drawn: DrawnFeatures, images: int) -> int:
    """Adds this many images, a product each. Returns the bytes of their texts: ids, URLs and attributes."""
    texts = 0
    for start in range(0, images, _FILL):
        count = min(_FILL, images - start)
        batch = drawn.batch(range(start, start + count), vectors=drawn.features(count))
        texts += sum(map(len, (*batch.product_id, *batch.url, *batch.attributes)))
        shard.apply(batch)
    return texts


def update_us(shard: Shard, drawn: DrawnFeatures, images: int, random: np.random.Generator, pictures: bool) -> float:
    """Processor time of one delta, in microseconds, in batches of 100: another price, or another picture."""
    spent = []
    for _ in range(_ROUNDS):
        numbers = random.integers(0, images, _UPDATES).tolist()
        batch = drawn.batch(numbers, vectors=drawn.features(_UPDATES) if pictures else None)
        began = time.thread_time()
        shard.apply(batch)
        spent.append(time.thread_time() - began)
    return float(np.median(spent)) / _UPDATES * 1e6


def query_us(shard: Shard, queries: NDArray[np.float32]) -> float:
    """Processor time of one query, in microseconds, one at a time: the median."""
    spent = []
    for start in range(len(queries)):
        began = time.thread_time()
        shard.search(queries[start : start + 1], LIMIT)
        spent.append(time.thread_time() - began)
    return float(np.median(spent)) * 1e6


def measure(images: int, look: Look, queries: int, seed: int) -> dict[str, Any]:
    drawn = DrawnFeatures(look, seed, clusters=max(1, images // IMAGES_PER_CLUSTER))
    shard = Shard(look.extractor_id, look.dimension, look)
    texts = fill(shard, drawn, images)
    began = time.monotonic()
    shard.train(seed=seed)
    trained_s = time.monotonic() - began
    asked = drawn.queries(queries)
    faiss.omp_set_num_threads(1)
    stats = shard.stats()
    figures: dict[str, Any] = {
        "kind": stats.index_kind,
        "lists": stats.lists,
        "nprobe": shard.nprobe,
        "train_s": trained_s,
        "recall_at_10": Truth(present_vectors(shard), asked).recall(scores_of(shard, asked, shard.nprobe)),
        "query_us": query_us(shard, asked),
        "memory_mib": stats.memory_bytes / 2**20,
        "memory_over_contents": stats.memory_bytes / (images * (4 * look.dimension + PROJECTED) + texts),
    }
    random = np.random.default_rng(seed)
    figures["price_us"] = update_us(shard, drawn, images, random, pictures=False)
    figures["picture_us"] = update_us(shard, drawn, images, random, pictures=True)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        save(shard, Path(folder), {0: 0})
        figures["snapshot_save_s"] = time.monotonic() - began
        del shard
        gc.collect()
        began = time.monotonic()
        again, _ = restore(Path(folder), look)
        again.search(asked[:1], LIMIT)
        figures["restore_to_first_answer_s"] = time.monotonic() - began
    short: dict[str, Any] = rounded(figures)
    return short


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index.scale", description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000, 1_000_000])
    parser.add_argument("--encoder", default=Settings().encoder, help="by name")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="scale", help="name of the result file")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        look = first_look(extractor_id(arguments.encoder), Path(folder))
    figures: dict[str, Any] = {}
    for images in arguments.images:
        figures[f"{images}_images"] = found = measure(images, look, arguments.queries, arguments.seed)
        gc.collect()
        print(f"{images:9} images: query {found['query_us']} us, price {found['price_us']} us", flush=True)
    write_result(
        arguments.name, {**vars(arguments), "extractor": look.extractor_id, "faiss": faiss.__version__}, figures
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
