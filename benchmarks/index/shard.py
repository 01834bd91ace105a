"""Benchmark `shard`: one shard on one thread against faiss IndexIVFFlat that never changes.

Same vectors, same run, the two taking turns, each with the smallest nprobe
that reaches the recall wanted, against exact search by BLAS. faiss answers
with row numbers and scores; the shard's answer is complete: validity,
product, URL, price, attributes. Then the same after churn, beside a writer,
and what writing costs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import rounded, write_result
from indexing.rows.usable import searchable_rows
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import restore, save
from indexing.training.train import default_nlist, sample_size, train_centroids
from schemas.deltas.delta import DeltaBatch
from schemas.ids import image_id
from serving.searcher.main import SWITCH_INTERVAL_S

faiss: Any = _faiss
EXTRACTOR = "bench/1"
LIMIT = 10
_INNER_DIMENSION = 32
CLUSTERS = 2000
_NOISE = 0.6
_ROUNDING = 1e-5


class Catalogue:
    """Images with clustered vectors of length 1 that lie near a manifold of few dimensions, as CNN features do."""

    def __init__(self, dimension: int, seed: int, extractor_id: str = EXTRACTOR, *, clusters: int = CLUSTERS) -> None:
        self.dimension = dimension
        self.extractor_id = extractor_id
        self._random = np.random.default_rng(seed)
        self._centres = self._random.standard_normal((clusters, _INNER_DIMENSION), dtype=np.float32)
        self._spread = self._random.standard_normal((_INNER_DIMENSION, dimension), dtype=np.float32)
        self.sequence = 0

    def vectors(self, count: int) -> NDArray[np.float32]:
        """`count` further vectors, shape (count, dimension)."""
        inner = self._centres[self._random.integers(0, len(self._centres), count)]
        inner = inner + _NOISE * self._random.standard_normal(inner.shape, dtype=np.float32)
        vectors: NDArray[np.float32] = inner @ self._spread
        vectors += 1.5 * self._random.standard_normal(vectors.shape, dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def batch(
        self,
        numbers: Sequence[int],
        *,
        valid: bool = True,
        vectors: NDArray[np.float32] | NDArray[np.uint8] | None = None,
    ) -> DeltaBatch:
        """Deltas of these images: with vectors, or features' bytes, a new version of each, without only another price.

        A row of `vectors` each.
        """
        batch = DeltaBatch(self.extractor_id)
        for i, number in enumerate(numbers):
            self.sequence += 1
            product, url = f"product-{number}", f"https://shop.example/images/{number}.jpg"
            batch.add(
                image_id(product, url),
                product,
                state_seq=self.sequence,
                valid=valid,
                image_seq=self.sequence if vectors is not None else 0,
                url=url,
                category=f"category-{number % 50}",
                brand=f"brand-{number % 300}",
                price=float(self.sequence % 1000),
                sales=number,
                praise=0.9,
                attributes=b'{"title":"A product of the benchmark, number %d","colour":"blue"}' % number,
                vector_seq=self.sequence if vectors is not None else 0,
                vector=None if vectors is None else vectors[i].tobytes(),
            )
        return batch


Search = Callable[[NDArray[np.float32]], object]


def queries_per_second(search: Search, queries: NDArray[np.float32], batch: int = 1) -> tuple[float, float]:
    """One call after the other with `batch` queries each: queries per second of time, and of this thread's CPU time."""
    started, cpu = time.perf_counter(), time.thread_time()
    for start in range(0, len(queries), batch):
        search(queries[start : start + batch])
    return len(queries) / (time.perf_counter() - started), len(queries) / (time.thread_time() - cpu)


def in_turns(
    first: Search, second: Search, queries: NDArray[np.float32], rounds: int, batch: int = 1
) -> NDArray[np.float64]:
    """The best of `rounds` short turns of each side: [[first, second] by the clock, [first, second] by CPU time].

    Short turns, so that what else the machine does hits both alike; the CPU
    time leaves it out.
    """
    chunks = [queries[start : start + 200] for start in range(0, len(queries), 200)]
    best = np.zeros((2, 2))
    for turn in range(rounds):
        chunk = chunks[turn % len(chunks)]
        for place, search in enumerate((first, second)):
            best[:, place] = np.maximum(best[:, place], queries_per_second(search, chunk, batch))
    return best


Scores = Callable[[int], NDArray[np.float32]]
"""nprobe -> scores of the ten best found for each query, (queries, 10), -inf where there are fewer."""


class Truth:
    """The scores of each query's exact ten nearest among `vectors`, and recall against them."""

    def __init__(self, vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> None:
        exact, _ = faiss.knn(queries, np.ascontiguousarray(vectors), LIMIT, metric=faiss.METRIC_INNER_PRODUCT)
        self._least = exact[:, -1:]

    def recall(self, scores: NDArray[np.float32]) -> float:
        """Mean recall@10. Which of two equal ones was found does not matter."""
        return float((scores >= self._least - _ROUNDING).mean())

    def smallest_nprobe(self, found: Scores, lists: int, recall: float) -> int:
        low, high = 1, lists
        while low < high:
            middle = (low + high) // 2
            if self.recall(found(middle)) >= recall:
                high = middle
            else:
                low = middle + 1
        return low


def scores_of(shard: Shard, queries: NDArray[np.float32], nprobe: int) -> NDArray[np.float32]:
    scores = np.full((len(queries), LIMIT), -np.inf, dtype=np.float32)
    for line, hits in zip(scores, shard.search(queries, LIMIT, nprobe), strict=True):
        line[: len(hits)] = [hit.score for hit in hits]
    return scores


def frozen_faiss(vectors: NDArray[np.float32], nlist: int, seed: int) -> Any:
    """The reference: filled once, never changed; with centroids of our training, on faiss's usual number of lists."""
    centroids = train_centroids(vectors[: sample_size(nlist)], nlist, seed)
    quantizer = faiss.IndexFlatIP(vectors.shape[1])
    quantizer.add(centroids)
    index = faiss.IndexIVFFlat(quantizer, vectors.shape[1], len(centroids), faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True
    index.add(vectors)
    return index


def faiss_scores(index: Any, queries: NDArray[np.float32], nprobe: int) -> NDArray[np.float32]:
    index.nprobe = nprobe
    scores: NDArray[np.float32] = index.search(queries, LIMIT)[0]
    return scores


def beside_a_writer(
    shard: Shard, catalogue: Catalogue, images: int, queries: NDArray[np.float32], per_second: int, rounds: int
) -> tuple[float, float, float]:
    """(queries/s alone, queries/s beside the writer, deltas/s that it managed), rounds of each in turns."""
    alone, beside, written, writing_s = [], [], 0, 0.0
    chooser = np.random.default_rng(5)
    size = 10
    for _ in range(rounds):
        alone.append(queries_per_second(lambda query: shard.search(query, LIMIT), queries)[0])
        batches = []
        for i in range(4 * per_second // size):
            numbers = chooser.integers(0, images, size).tolist()
            # Half of the updates carry a new picture, half a new price.
            batches.append(catalogue.batch(numbers, vectors=catalogue.vectors(size) if i % 2 else None))
        stop = threading.Event()
        done = [0]

        def write(batches: list[DeltaBatch] = batches, stop: threading.Event = stop, done: list[int] = done) -> None:
            begun = time.perf_counter()
            for number, batch in enumerate(batches):
                if stop.wait(max(0.0, begun + number * size / per_second - time.perf_counter())):
                    break
                shard.apply(batch)
                done[0] += len(batch)

        writer = threading.Thread(target=write)
        started = time.perf_counter()
        writer.start()
        beside.append(queries_per_second(lambda query: shard.search(query, LIMIT), queries)[0])
        writing_s += time.perf_counter() - started
        written += done[0]
        stop.set()
        writer.join()
    return max(alone), max(beside), written / writing_s


def present_vectors(shard: Shard) -> NDArray[np.float32]:
    """Those that a search may find."""
    contents = shard.contents()
    usable = searchable_rows(contents.rows)
    return np.concatenate([np.asarray(vectors[:])[usable[rows]] for vectors, rows in contents.lists])


def apply_rate(shard: Shard, batches: list[DeltaBatch]) -> float:
    """Deltas per second."""
    started = time.perf_counter()
    for batch in batches:
        shard.apply(batch)
    return sum(len(batch) for batch in batches) / (time.perf_counter() - started)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index.shard", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--nlist", type=int, default=None, help="number of inverted lists; default: from the count")
    parser.add_argument("--recall", type=float, default=0.95, help="recall@10 wanted")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side; the best counts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="shard", help="name of the result file")
    arguments = parser.parse_args(argv)
    figures: dict[str, Any] = {}
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as a searcher has it
    catalogue = Catalogue(arguments.dimension, arguments.seed)
    vectors = catalogue.vectors(arguments.images)
    queries = catalogue.vectors(arguments.queries)
    faiss.omp_set_num_threads(1)

    shard = Shard(EXTRACTOR, arguments.dimension)
    filling = [
        catalogue.batch(range(start, min(start + 1000, arguments.images)), vectors=vectors[start : start + 1000])
        for start in range(0, arguments.images, 1000)
    ]
    figures["fill_exact_deltas_per_s"] = apply_rate(shard, filling)
    del filling
    exact = min(100, arguments.queries)
    figures["exact_queries_per_s"] = queries_per_second(lambda query: shard.search(query, LIMIT), queries[:exact])[0]
    started = time.perf_counter()
    shard.train(arguments.nlist, arguments.seed, nprobe=1)
    figures["train_s"] = time.perf_counter() - started
    truth, found = Truth(vectors, queries), partial(scores_of, shard, queries)
    shard.nprobe = nprobe = truth.smallest_nprobe(found, shard.stats().lists, arguments.recall)
    figures |= {"kind": shard.stats().index_kind, "nlist": shard.stats().lists, "nprobe": nprobe}
    figures["recall_at_10"] = truth.recall(found(nprobe))

    reference = frozen_faiss(vectors, default_nlist(arguments.images), arguments.seed)
    theirs = partial(faiss_scores, reference, queries)
    reference.nprobe = truth.smallest_nprobe(theirs, reference.nlist, arguments.recall)
    figures |= {"faiss_nlist": reference.nlist, "faiss_nprobe": reference.nprobe}
    figures["faiss_recall_at_10"] = truth.recall(theirs(reference.nprobe))
    search = partial(shard.search, limit=LIMIT)
    for batch, name in ((1, ""), (16, "_batch_16")):
        wall, cpu = in_turns(partial(reference.search, k=LIMIT), search, queries, 5 * arguments.rounds, batch)
        figures[f"faiss_frozen_queries_per_s{name}"], figures[f"shard_queries_per_s{name}"] = wall
        figures[f"shard_over_faiss{name}"] = wall[1] / wall[0]
        figures[f"shard_over_faiss_by_cpu_time{name}"] = cpu[1] / cpu[0]

    alone, beside, written = beside_a_writer(shard, catalogue, arguments.images, queries, 1000, arguments.rounds)
    figures["beside_writer_deltas_per_s"] = written
    figures["beside_writer_queries_per_s"] = beside
    figures["beside_writer_over_alone"] = beside / alone

    chooser = np.random.default_rng(arguments.seed)
    tenth = arguments.images // 10
    numbers = chooser.permutation(arguments.images).tolist()
    shard.apply(catalogue.batch(numbers[:tenth], valid=False))
    for start in range(tenth, 3 * tenth, 1000):
        chosen = numbers[start : start + 1000]
        shard.apply(catalogue.batch(chosen, vectors=catalogue.vectors(len(chosen))))
    added = range(arguments.images, arguments.images + tenth)
    shard.apply(catalogue.batch(added, vectors=catalogue.vectors(tenth)))
    after_churn = Truth(present_vectors(shard), queries)
    figures["recall_at_10_after_churn"] = after_churn.recall(scores_of(shard, queries, nprobe))
    figures["vectors_scanned_after_churn"] = sum(len(ids) for _, ids in shard.contents().lists)
    after, _ = in_turns(search, search, queries, 5 * arguments.rounds)
    figures["shard_queries_per_s_after_churn"] = after.max()

    for size in (1, 10, 100, 1000):
        count = max(10, min(1000, 10_000 // size))
        chosen = [chooser.integers(0, arguments.images, size).tolist() for _ in range(count)]
        prices = [catalogue.batch(some) for some in chosen]
        figures[f"apply_prices_deltas_per_s_batch_{size}"] = apply_rate(shard, prices)
        pictures = [catalogue.batch(some, vectors=catalogue.vectors(size)) for some in chosen[: max(5, count // 5)]]
        figures[f"apply_vectors_deltas_per_s_batch_{size}"] = apply_rate(shard, pictures)

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        shard.contents()
        figures["snapshot_writer_pause_ms"] = 1000 * (time.perf_counter() - started)
        started = time.perf_counter()
        save(shard, Path(folder), {0: 0})
        figures["snapshot_save_s"] = time.perf_counter() - started
        started = time.perf_counter()
        restore(Path(folder))
        figures["snapshot_restore_s"] = time.perf_counter() - started
    stats = shard.stats()
    figures |= {"rows": stats.rows, "memory_mib": stats.memory_bytes / 2**20}
    write_result(
        arguments.name, {**vars(arguments), "faiss": faiss.__version__, "numpy": np.__version__}, rounded(figures)
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
