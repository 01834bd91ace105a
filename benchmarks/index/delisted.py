"""Benchmark `delisted`: one shard on one thread with 40 % of its products off the shelf, against two references.

- faiss IndexIVFFlat that never changes and holds only what is on the shelf: what a rebuild would give.
- hnswlib (M 16), which held everything and had the same products marked as deleted.

The same vectors and queries, at the same recall@10 (0.95 and 0.99) against exact
search over what is on the shelf, each with the smallest effort (nprobe, ef)
that reaches it; the three take turns. Vectors: clustered synthetic ones, and
features of real pictures where the shared catalogues are there. The shard's
answer is complete (product, URL, price, attributes), theirs is numbers.

hnswlib is no dependency: `.venv/bin/uv pip install hnswlib==0.8.0` (it compiles itself) lets it take part.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import rounded, write_result
from benchmarks.index.shard import (
    EXTRACTOR,
    LIMIT,
    Catalogue,
    Truth,
    faiss_scores,
    frozen_faiss,
    queries_per_second,
    scores_of,
)
from benchmarks.load.real import real_vectors
from indexing.shard.shard import Shard
from indexing.training.train import default_nlist

faiss: Any = _faiss
DELISTED = 0.4
RECALLS = (0.95, 0.99)
_TURN = 100
_MOST_EF = 4096

Search = Callable[[NDArray[np.float32]], object]


class Hnsw:
    """hnswlib with the same life: everything added, then some marked as deleted."""

    def __init__(self, vectors: NDArray[np.float32], gone: NDArray[np.int64], seed: int) -> None:
        import hnswlib

        self._index = hnswlib.Index(space="ip", dim=vectors.shape[1])
        self._index.init_index(max_elements=len(vectors), M=16, ef_construction=200, random_seed=seed)
        self._index.add_items(vectors, np.arange(len(vectors)))
        for number in gone.tolist():
            self._index.mark_deleted(number)
        self._index.set_num_threads(1)

    def search(self, queries: NDArray[np.float32]) -> Any:
        return self._index.knn_query(queries, k=LIMIT)

    def scores(self, queries: NDArray[np.float32], ef: int) -> NDArray[np.float32]:
        self.effort(ef)
        _, distances = self.search(queries)
        found: NDArray[np.float32] = 1 - distances
        return found

    def effort(self, ef: int) -> None:
        self._index.set_ef(max(LIMIT, ef))


def compare(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], rounds: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Figures by recall wanted."""
    images, dimension = vectors.shape
    gone = np.sort(np.random.default_rng(seed).permutation(images)[: int(DELISTED * images)])
    left = np.delete(vectors, gone, axis=0)
    truth = Truth(left, queries)
    catalogue = Catalogue(dimension, seed)
    shard = Shard(EXTRACTOR, dimension)
    for start in range(0, images, 1000):
        part = vectors[start : start + 1000]
        shard.apply(catalogue.batch(range(start, start + len(part)), vectors=part))
    shard.train(seed=seed, nprobe=1)
    shard.apply(catalogue.batch(gone.tolist(), valid=False))
    frozen = frozen_faiss(left, default_nlist(len(left)), seed)
    hnsw = Hnsw(vectors, gone, seed) if importlib.util.find_spec("hnswlib") else None
    faiss.omp_set_num_threads(1)
    figures: dict[str, dict[str, Any]] = {}
    for recall in RECALLS:
        shard.nprobe = truth.smallest_nprobe(partial(scores_of, shard, queries), shard.stats().lists, recall)
        frozen.nprobe = truth.smallest_nprobe(partial(faiss_scores, frozen, queries), frozen.nlist, recall)
        sides: dict[str, Search] = {
            "shard": partial(shard.search, limit=LIMIT),
            "faiss_frozen": partial(frozen.search, k=LIMIT),
        }
        found: dict[str, Any] = {
            "shard_nprobe": shard.nprobe,
            "shard_recall_at_10": truth.recall(scores_of(shard, queries, shard.nprobe)),
            "faiss_frozen_nprobe": frozen.nprobe,
            "faiss_frozen_recall_at_10": truth.recall(faiss_scores(frozen, queries, frozen.nprobe)),
        }
        if hnsw is not None:
            ef = max(LIMIT, truth.smallest_nprobe(partial(hnsw.scores, queries), _MOST_EF, recall))
            found |= {"hnswlib_ef": ef, "hnswlib_recall_at_10": truth.recall(hnsw.scores(queries, ef))}
            sides["hnswlib"] = hnsw.search
        rates = dict.fromkeys(sides, 0.0)
        for turn in range(rounds):
            start = turn * _TURN % max(1, len(queries) - _TURN)
            for name, search in sides.items():
                by_cpu = queries_per_second(search, queries[start : start + _TURN])[1]
                rates[name] = max(rates[name], by_cpu)
        found |= {f"{name}_queries_per_s": rate for name, rate in rates.items()}
        found |= {f"shard_over_{name}": rates["shard"] / rate for name, rate in rates.items() if name != "shard"}
        figures[f"recall_{recall}"] = found
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index.delisted", description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--dimension", type=int, default=768, help="of the synthetic vectors")
    parser.add_argument("--rounds", type=int, default=30, help="turns of each side; the best counts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="delisted", help="name of the result file")
    arguments = parser.parse_args(argv)
    catalogue = Catalogue(arguments.dimension, arguments.seed)
    kinds: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]] | None] = {
        "synthetic": (catalogue.vectors(arguments.images), catalogue.vectors(500)),
        "real": real_vectors(arguments.images, arguments.seed),
    }
    figures: dict[str, Any] = {}
    for name, data in kinds.items():
        if data is None:
            print(f"{name}: left out, the shared catalogues are not there (VITRINE_SHARED)")
            continue
        figures[name] = compare(*data, arguments.rounds, arguments.seed)
    write_result(arguments.name, {**vars(arguments), "faiss": faiss.__version__}, rounded(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
