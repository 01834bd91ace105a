"""Benchmark `filters`: filtered search on one shard and one thread, against the same shard without a filter.

For every selectivity, by one condition and by three, and for filters that
have to do with the look (a category of look-alikes, asked for by queries from
everywhere): recall@10 against exact search over what passes, and queries per
second as a share of the unfiltered ones of the same run, in turns; alone, and
beside a writer of new prices and attributes. Then what counts (facets) cost,
and how many changes of attributes a shard applies with ten filtered fields.
Vectors: synthetic ones, and features of real pictures where the shared
catalogues are there.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import faiss as _faiss
import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import rounded, write_result
from benchmarks.index.shard import EXTRACTOR, LIMIT, Catalogue, Truth, apply_rate, queries_per_second
from benchmarks.load.real import real_vectors
from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from schemas.deltas.delta import DeltaBatch
from schemas.ids import image_id
from schemas.query.facets import FacetWanted
from schemas.query.fields import Fields
from schemas.query.filters import Filter, holds, parse_filter
from schemas.query.indexed import Indexed

faiss: Any = _faiss
FIELDS = Fields.declared(["weight:number", "zone:keyword", *(f"extra{i}:keyword" for i in range(10))])
SELECTIVITIES = (0.5, 0.1, 0.01, 0.001, 0.0001)
_BRANDS = 1000
_ZONES = 20
_CATEGORIES = 20
_TURN = 50


class Goods:
    """Products of one image each, with attributes drawn independently of the look, and a category that is not."""

    def __init__(self, vectors: NDArray[np.float32], seed: int) -> None:
        self.vectors = vectors
        self._random = np.random.default_rng(seed)
        count = len(vectors)
        self.price = self._random.uniform(0, 1, count)
        self.weight = self._random.uniform(0, 1, count)
        self.brand = self._random.integers(0, _BRANDS, count)
        self.zone = self._random.integers(0, _ZONES, count)
        means = vectors[self._random.choice(count, _CATEGORIES, replace=False)]
        self.category = np.concatenate(
            [np.argmax(vectors[first : first + 4096] @ means.T, axis=1) for first in range(0, count, 4096)]
        )
        self.sequence = 0

    def values(self, number: int) -> dict[str, Any]:
        """What the product is filtered by, as `schemas.query.filters.holds` has it."""
        return {
            "price": float(self.price[number]),
            "weight": float(self.weight[number]),
            "zone": (f"z{self.zone[number]}",),
            "category": (f"c{self.category[number]}",),
        }

    def batch(self, numbers: Sequence[int], *, vectors: bool = False, extra: int = 0) -> DeltaBatch:
        """Their present state again; `extra`: another value of ten filtered attributes."""
        batch = DeltaBatch(EXTRACTOR)
        for number in numbers:
            self.sequence += 1
            product, url = f"product-{number}", f"https://shop.example/images/{number}.jpg"
            attributes: dict[str, Any] = {
                "title": f"A product of the benchmark, number {number}",
                "brand": f"b{self.brand[number]}",
                "category": f"c{self.category[number]}",
                "weight": float(self.weight[number]),
                "zone": f"z{self.zone[number]}",
            }
            if extra:
                attributes |= {f"extra{i}": f"v{(extra + number + i) % 97}" for i in range(10)}
            batch.add(
                image_id(product, url),
                product,
                state_seq=self.sequence,
                valid=True,
                image_seq=1,
                url=url,
                category=attributes["category"],
                brand=attributes["brand"],
                price=float(self.price[number]),
                sales=number,
                praise=0.9,
                attributes=msgspec.json.encode(attributes),
                vector_seq=1 if vectors else 0,
                vector=self.vectors[number].tobytes() if vectors else None,
            )
        return batch

    def passing(self, tree: Filter) -> NDArray[np.bool_]:
        """Which products pass, by the rule for one product and not by the shard's columns."""
        return np.array([holds(tree, self.values(number)) for number in range(len(self.vectors))])


def filters(goods: Goods) -> dict[str, Filter]:
    """By name: every selectivity by one condition and by three; three categories of look-alikes."""
    asked: dict[str, Any] = {}
    for share in SELECTIVITIES:
        part = share ** (1 / 3)
        asked[f"one_condition_{share:%}"] = {"price": {"lt": share}}
        asked[f"three_conditions_{share:%}"] = {
            "price": {"lt": part},
            "weight": {"gte": 1 - share / part / (max(1, round(_ZONES * part)) / _ZONES)},
            "zone": [f"z{number}" for number in range(max(1, round(_ZONES * part)))],
        }
    for category in range(3):
        asked[f"look_alikes_{category}"] = {"category": f"c{category}"}
    return {
        name.replace("0000%", "%").replace(".00%", "%"): parse_filter(value, FIELDS) for name, value in asked.items()
    }


def asked(shard: Shard, tree: Filter | None, facets: tuple[FacetWanted, ...], queries: NDArray[np.float32]) -> Any:
    return shard.answer(ShardQuestion(queries, LIMIT, tree=tree, facets=facets))


def scores(shard: Shard, tree: Filter, queries: NDArray[np.float32]) -> NDArray[np.float32]:
    found = np.full((len(queries), LIMIT), -np.inf, dtype=np.float32)
    for line, query in zip(found, queries, strict=True):
        hits = asked(shard, tree, (), query[None]).found[0]
        line[: len(hits)] = [hit.score for hit in hits]
    return found


def in_turns(sides: dict[str, Any], queries: NDArray[np.float32], rounds: int) -> dict[str, float]:
    """Queries per second of processor time, the median of `rounds` turns of each side."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds):
        start = turn * _TURN % max(1, len(queries) - _TURN)
        for name, search in sides.items():
            rates[name].append(queries_per_second(search, queries[start : start + _TURN])[1])
    return {name: float(np.median(found)) for name, found in rates.items()}


class Writer:
    """Applies new prices, of half of them with other attributes, at a steady rate on a thread."""

    def __init__(self, shard: Shard, goods: Goods, per_second: int) -> None:
        self._shard, self._goods, self._per_second = shard, goods, per_second
        self._stop = threading.Event()
        self.written = 0

    def __enter__(self) -> Writer:
        self._thread = threading.Thread(target=self._run)
        self._began = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.rate = self.written / (time.perf_counter() - self._began)

    def _run(self) -> None:
        chooser, size = np.random.default_rng(5), 10
        while not self._stop.wait(max(0.0, self._began + self.written / self._per_second - time.perf_counter())):
            numbers = chooser.integers(0, len(self._goods.vectors), size).tolist()
            self._shard.apply(self._goods.batch(numbers, extra=self.written % 20))
            self.written += size


def compare(vectors: NDArray[np.float32], queries: NDArray[np.float32], rounds: int, seed: int) -> dict[str, Any]:
    """All figures of one set of vectors."""
    goods = Goods(vectors, seed)
    shard = Shard(EXTRACTOR, vectors.shape[1])
    shard.open_attributes(Indexed(FIELDS))
    images = len(vectors)
    for start in range(0, images, 1000):
        shard.apply(goods.batch(range(start, min(start + 1000, images)), vectors=True))
    faiss.omp_set_num_threads(1)
    shard.train(seed=seed, recall=0.99, threads=1)
    truth = Truth(vectors, queries)
    found = np.array([[hit.score for hit in shard.search(query[None], LIMIT)[0]] for query in queries])
    figures: dict[str, Any] = {"nprobe": shard.nprobe, "recall_at_10_unfiltered": truth.recall(found), "filters": {}}
    unfiltered = partial(shard.search, limit=LIMIT)
    for name, tree in filters(goods).items():
        passing = goods.passing(tree)
        exact = Truth(vectors[passing], queries) if passing.sum() >= LIMIT else None
        sides = {"unfiltered": unfiltered, "filtered": partial(asked, shard, tree, ())}
        alone = in_turns(sides, queries, rounds)
        with Writer(shard, goods, 1000) as writer:
            beside = in_turns(sides, queries, rounds)
        found = scores(shard, tree, queries)
        if exact is not None:
            recall = exact.recall(found)
        else:
            # Fewer than ten pass: all of them must be found.
            recall = float((np.isfinite(found).sum(axis=1) == passing.sum()).mean())
        figures["filters"][name] = {
            "passing_share": float(passing.mean()),
            "recall_at_10": recall,
            "unfiltered_queries_per_s": alone["unfiltered"],
            "filtered_queries_per_s": alone["filtered"],
            "filtered_over_unfiltered": alone["filtered"] / alone["unfiltered"],
            "filtered_over_unfiltered_beside_writer": beside["filtered"] / beside["unfiltered"],
            "writer_deltas_per_s": writer.rate,
            "plan": asked(shard, tree, (), queries[:1]).plan,
        }
        print(name, figures["filters"][name], flush=True)
    figures["facets"] = facets(shard, queries, rounds)
    return figures


def facets(shard: Shard, queries: NDArray[np.float32], rounds: int) -> dict[str, float]:
    """Queries per second with counts of three facets beside, over half of the index and over a hundredth."""
    wanted = (FacetWanted("brand"), FacetWanted("category"), FacetWanted("price", (0.25, 0.5, 0.75)))
    rates = {}
    for share in (0.5, 0.01):
        tree = parse_filter({"price": {"lt": share}}, FIELDS)
        sides = {"without": partial(asked, shard, tree, ()), "with": partial(asked, shard, tree, wanted)}
        found = in_turns(sides, queries, rounds)
        rates[f"without_facets_{share:.0%}_queries_per_s"] = found["without"]
        rates[f"three_facets_{share:.0%}_queries_per_s"] = found["with"]
    return rates


def updates(images: int, seed: int) -> dict[str, float]:
    """Deltas per second that a shard applies: prices, and products whose ten filtered attributes all change."""
    goods = Goods(np.random.default_rng(seed).standard_normal((images, 8), dtype=np.float32), seed)
    rates = {}
    for name, opened in (("without_attributes", False), ("with_attributes", True)):
        shard = Shard(EXTRACTOR, 8)
        if opened:
            shard.open_attributes(Indexed(FIELDS))
        everything = [range(start, start + 500) for start in range(0, images, 500)]
        for numbers in everything:
            shard.apply(goods.batch(numbers, vectors=True, extra=1))
        for change, extra in (("prices", 1), ("ten_attributes", 2)):
            goods.price = goods.price[::-1].copy()
            batches = [goods.batch(numbers, extra=extra) for numbers in everything]
            rates[f"{change}_{name}_deltas_per_s"] = apply_rate(shard, batches)
    return rates


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asking.filters", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--real-images", type=int, default=50_000, help="views of real pictures; 0: none")
    parser.add_argument("--dimension", type=int, default=768, help="of the synthetic vectors")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each side; the median counts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="filters", help="name of the result file")
    arguments = parser.parse_args(argv)
    catalogue = Catalogue(arguments.dimension, arguments.seed)
    figures: dict[str, Any] = {"updates": updates(20_000, arguments.seed)}
    figures["synthetic"] = compare(
        catalogue.vectors(arguments.images), catalogue.vectors(400), arguments.rounds, arguments.seed
    )
    real = real_vectors(arguments.real_images, arguments.seed) if arguments.real_images else None
    if real is not None:
        figures["real"] = compare(*real, arguments.rounds, arguments.seed)
    write_result(arguments.name, vars(arguments), rounded(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
