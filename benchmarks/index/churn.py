"""Benchmark `churn`: a week of JD's mix on one shard, every image touched several times.

Each event is 33 % a new price, 53 % an addition of a product that is known
(1.5 % of them with a picture never seen before), 14 % a removal. After each
day recall@10 against exact search over what is on the shelf, queries a second
on one thread and memory. The shard trains itself anew when the searcher's rule
says so; nothing else cleans up behind the events.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import rounded, write_result
from benchmarks.index.shard import EXTRACTOR, LIMIT, Catalogue, Truth, present_vectors, queries_per_second, scores_of
from benchmarks.load.shop import ADDITIONS, NEW_AMONG_ADDITIONS, REMOVALS
from indexing.shard.shard import Shard
from serving.searcher.feeding.training import TRAIN_AGAIN_FACTOR

faiss: Any = _faiss
_BATCH = 100
_ROUNDS = 7


class Week:
    """A shop and its shard."""

    def __init__(self, shard: Shard, catalogue: Catalogue, images: int, seed: int) -> None:
        self._shard = shard
        self._catalogue = catalogue
        self._random = np.random.default_rng(seed)
        self._on_shelf = np.ones(images, dtype=np.bool_)
        for start in range(0, images, 1000):
            count = min(1000, images - start)
            shard.apply(catalogue.batch(range(start, start + count), vectors=catalogue.vectors(count)))

    def events(self, count: int) -> dict[str, int]:
        """Applies this many, and says how many there were of each kind."""
        kinds = {"prices": 0, "additions": 0, "new_pictures": 0, "removals": 0}
        new = ADDITIONS * NEW_AMONG_ADDITIONS
        for _ in range(count // _BATCH):
            drawn = self._random.choice(4, _BATCH, p=[1 - ADDITIONS - REMOVALS, ADDITIONS - new, new, REMOVALS])
            numbers = self._random.choice(len(self._on_shelf), _BATCH, replace=False)
            for kind, name in enumerate(kinds):
                chosen = numbers[drawn == kind].tolist()
                if name == "prices":  # of a removed product it changes nothing that a shard shows
                    chosen = [number for number in chosen if self._on_shelf[number]]
                if not chosen:
                    continue
                self._on_shelf[chosen] = name != "removals"
                kinds[name] += len(chosen)
                pictures = self._catalogue.vectors(len(chosen)) if name == "new_pictures" else None
                self._shard.apply(self._catalogue.batch(chosen, valid=name != "removals", vectors=pictures))
        return kinds


def measure(shard: Shard, asked: NDArray[np.float32]) -> dict[str, float | int]:
    stats = shard.stats()
    rates = [queries_per_second(partial(shard.search, limit=LIMIT), asked)[1] for _ in range(_ROUNDS)]
    return {
        "recall_at_10": Truth(present_vectors(shard), asked).recall(scores_of(shard, asked, shard.nprobe)),
        "queries_per_s": float(np.median(rates)),
        "searchable": stats.searchable,
        "entries": sum(len(ids) for _, ids in shard.contents().lists),
        "memory_mib": stats.memory_bytes / 2**20,
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index.churn", description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--touches", type=float, default=8.0, help="events an image in the week")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="churn", help="name of the result file")
    arguments = parser.parse_args(argv)
    catalogue = Catalogue(arguments.dimension, arguments.seed)
    shard = Shard(EXTRACTOR, arguments.dimension)
    week = Week(shard, catalogue, arguments.images, arguments.seed)
    shard.train(seed=arguments.seed)
    faiss.omp_set_num_threads(1)
    asked = catalogue.vectors(arguments.queries)
    days = [measure(shard, asked)]
    kinds: Counter[str] = Counter()
    trained_on = shard.training["vectors"]
    trainings = 0
    for _ in range(arguments.days):
        kinds.update(week.events(int(arguments.images * arguments.touches / arguments.days)))
        if shard.stats().searchable >= TRAIN_AGAIN_FACTOR * trained_on:
            shard.train(seed=arguments.seed, threads=1)
            trained_on, trainings = shard.training["vectors"], trainings + 1
        days.append(measure(shard, asked))
    first, last = days[0], days[-1]
    figures: dict[str, Any] = {
        "events": sum(kinds.values()),
        "kinds": dict(kinds),
        "trainings": trainings,
        "nprobe": shard.nprobe,
        "queries_per_s_after_over_before": last["queries_per_s"] / first["queries_per_s"],
        "days": days,
    }
    write_result(arguments.name, {**vars(arguments), "faiss": faiss.__version__}, rounded(figures))
    print(f"recall {first['recall_at_10']:.4f} to {last['recall_at_10']:.4f}, queries/s "
          f"{first['queries_per_s']:.0f} to {last['queries_per_s']:.0f}, memory {first['memory_mib']:.0f} to "
          f"{last['memory_mib']:.0f} MiB")  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
