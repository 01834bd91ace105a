"""Sampled live queries are measured exactly as well, and what is looked through follows the recall within bounds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from indexing.build.builder import BuildSettings
from indexing.lists.kinds import IndexKind
from indexing.look.looks import Untuned
from indexing.shard.shard import Shard
from schemas.query.fields import Fields
from schemas.query.filters import encode_filter, parse_filter
from schemas.search_pb2 import SearchRequest
from serving.searcher.measured.recall import (
    LEAST_EFFORT,
    MEASURED_BETWEEN,
    MOST_EFFORT,
    MOST_WAITING,
    STEP,
    WINDOW_S,
    LiveRecall,
    RecallFigures,
    followed,
)
from serving.searcher.measured.thread import Measuring
from serving.searcher.metrics import SearcherMetricFamilies
from serving.searcher.service import SearcherService
from tests.support.index.catalogue import listed, random_vectors
from tests.support.serving import world
from tests.unit.indexing.test_build import DIMENSION, build
from tests.unit.indexing.test_shard import filled

WANTED = 0.9


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def everything(wanted: float = WANTED, clock: Clock | None = None) -> LiveRecall:
    return LiveRecall(1.0, wanted, "shard=0", clock=clock or Clock())


def measured(recall: LiveRecall, shard: Shard, queries: np.ndarray) -> None:
    for query in queries:
        recall.offer(query[None], 10)
        assert recall.measure(shard)
    assert not recall.measure(shard), "none waits"


def narrow(count: int = 2000, nprobe: int = 1) -> Shard:
    """Of which a query looks through one list of 32, which is too few."""
    shard, _ = filled(count)
    shard.train(32, seed=3, nprobe=nprobe, threads=1)
    return shard


def test_recall_is_the_share_of_the_best_ten_that_the_search_itself_finds() -> None:
    shard, recall = narrow(), everything(wanted=0.0001)
    queries = random_vectors(40, shard.dimension, seed=5)
    shares = []
    for found, best in zip(shard.search(queries, 10), shard.search(queries, 10, nprobe=32), strict=True):
        shares.append(len({hit.image_id for hit in found} & {hit.image_id for hit in best}) / 10)
    measured(recall, shard, queries)
    assert 0.1 < np.mean(shares) < 0.9
    assert recall.figures.queries == 40
    assert recall.figures.mean == pytest.approx(np.mean(shares))
    assert recall.figures.spread == pytest.approx(np.std(shares))


def test_effort_grows_until_the_recall_wanted_is_reached_and_no_further() -> None:
    shard, recall = narrow(nprobe=4), everything()
    queries = random_vectors(MEASURED_BETWEEN, shard.dimension, seed=7)
    efforts = [shard.effort]
    for _ in range(12):
        measured(recall, shard, queries)
        efforts.append(shard.effort)
    assert efforts[1] == STEP
    assert efforts[-1] <= MOST_EFFORT
    assert sum(shard.recalls(queries, 10)) / len(queries) > WANTED - 0.05 or efforts[-1] == MOST_EFFORT
    assert shard.stats().nprobe == round(4 * shard.effort)
    assert shard.nprobe == 4, "what was chosen is kept, also in snapshots"
    shard.train(32, seed=3, nprobe=4, threads=1)
    assert shard.effort == 1.0, "of other lists nothing is known yet"


def test_effort_falls_while_nearly_everything_is_found() -> None:
    shard, recall = narrow(nprobe=32), everything()
    for _ in range(8):
        measured(recall, shard, random_vectors(MEASURED_BETWEEN, shard.dimension, seed=7))
    assert LEAST_EFFORT <= shard.effort < 1.0


@pytest.mark.parametrize(
    ("mean", "spread", "effort", "after"),
    [
        (0.80, 0.1, 1.0, STEP), (0.80, 0.1, MOST_EFFORT, MOST_EFFORT), (0.89, 0.1, 1.0, 1.0), (0.92, 0.1, 1.0, 1.0),
        (0.99, 0.01, 1.0, 1 / STEP), (0.99, 0.01, LEAST_EFFORT, LEAST_EFFORT), (0.96, 0.3, 1.0, 1.0),
    ],
)  # fmt: skip
def test_effort_moves_only_where_the_recall_is_surely_another(
    mean: float, spread: float, effort: float, after: float
) -> None:
    assert followed(effort, RecallFigures(100, mean, spread), WANTED) == pytest.approx(after)


def test_an_exact_index_finds_everything_and_stays_as_it_is() -> None:
    shard, recall = filled(50)[0], everything()
    measured(recall, shard, random_vectors(MEASURED_BETWEEN, shard.dimension, seed=7))
    assert (recall.figures.mean, recall.figures.spread, shard.effort) == (1.0, 0.0, 1.0)
    empty = everything()
    measured(empty, Shard("test/1", shard.dimension), random_vectors(3, shard.dimension))
    assert empty.figures == RecallFigures()


@pytest.mark.parametrize("kind", [IndexKind.IVF_PCA, IndexKind.IVF_SQ8, IndexKind.IVF_PQ])
def test_coded_kinds_are_measured_by_their_vectors_and_more_effort_finds_more(tmp_path: Path, kind: IndexKind) -> None:
    shard, _ = build(
        tmp_path / "s0", [listed(random_vectors(2000, DIMENSION))], BuildSettings(kind=kind, nlist=16, threads=1)
    )
    queries = random_vectors(60, DIMENSION, seed=4)
    shard.nprobe, shard.effort = 4, 0.5
    little = sum(shard.recalls(queries, 10)) / 60
    shard.effort = 4.0
    assert little < sum(shard.recalls(queries, 10)) / 60 <= 1.0
    assert sum(shard.recalls(queries, 10)) / 60 > 0.95


def test_only_the_share_is_sampled_and_little_waits() -> None:
    chances = iter([0.5, 0.009, 0.5, 0.01])
    recall = LiveRecall(0.01, WANTED, "", chance=lambda: next(chances))
    shard = filled(20)[0]
    for query in random_vectors(4, shard.dimension):
        recall.offer(query[None], 10)
    assert recall.measure(shard)
    assert not recall.measure(shard)
    off = LiveRecall(0.0, WANTED, "", chance=lambda: pytest.fail("nobody asked"))
    off.offer(random_vectors(1, shard.dimension), 10)
    full = everything()
    for query in random_vectors(2 * MOST_WAITING, shard.dimension):
        full.offer(query[None], 10)
    assert sum(full.measure(shard) for _ in range(2 * MOST_WAITING)) == MOST_WAITING


def test_figures_are_of_the_last_hour() -> None:
    clock, shard = Clock(), filled(20)[0]
    recall = everything(clock=clock)
    measured(recall, shard, random_vectors(3, shard.dimension))
    clock.now = WINDOW_S / 2
    measured(recall, shard, random_vectors(2, shard.dimension))
    assert recall.figures.queries == 5
    clock.now = WINDOW_S + 1
    recall.measure(shard)
    assert recall.figures.queries == 2
    clock.now = 2 * WINDOW_S
    recall.measure(shard)
    assert recall.figures == RecallFigures()


def test_a_searcher_tells_what_its_thread_has_measured_of_plain_searches() -> None:
    registry = CollectorRegistry()
    metrics = SearcherMetricFamilies(registry).of(0, 0)
    searcher = SearcherService(0, 0, Untuned(world.EXTRACTOR, world.DIMENSION), metrics, recall_sample=1.0)
    searcher.begin(Shard(world.EXTRACTOR, world.DIMENSION))
    world.apply(searcher, world.listed(world.batch(), "lamp", [world.direction(number) for number in range(30)]))
    searcher.ready()
    plain = world.query(world.direction(1))
    checking, filtered, worded = (SearchRequest.FromString(plain.SerializeToString()) for _ in range(3))
    checking.nprobe, worded.words = 3, "lamp"
    filtered.filter = encode_filter(parse_filter({"brand": "Acme"}, Fields.declared([])))
    for request in (plain, checking, filtered, worded):
        searcher.search(request)
    measuring = Measuring(lambda: [searcher], "0-0")
    measuring.start()
    deadline = time.monotonic() + 60
    while (status := searcher.status().shards[0]).recall_queries + status.filtered_recall_queries < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    measuring.stop()
    assert not searcher.recall.measure(searcher.index or pytest.fail("no shard")), "all but the one that checks"
    assert (status.recall, status.recall_spread, status.nprobe) == (1.0, 0.0, 1)
    assert (status.filtered_recall, status.filtered_recall_spread, status.filtered_recall_queries) == (1.0, 0.0, 1)
    labels = {"shard": "0", "replica": "0", "generation": "live"}
    told = {
        name: registry.get_sample_value(f"vitrine_searcher_{name}", labels)
        for name in ("recall_at_10", "recall_queries", "filtered_recall_at_10", "filtered_recall_queries")
    }
    assert told == {
        "recall_at_10": 1.0, "recall_queries": 2.0, "filtered_recall_at_10": 1.0, "filtered_recall_queries": 1.0,
    }  # fmt: skip
