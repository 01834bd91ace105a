"""Recall among the rows that pass a filter is what the filtered search finds of the best that pass."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from schemas.query.fields import Fields
from schemas.query.filters import Filter, parse_filter
from schemas.query.indexed import Indexed
from serving.searcher.measured.recall import MEASURED_BETWEEN, LiveRecall
from tests.support.index.catalogue import random_vectors
from tests.support.serving import world

ROWS = 9_000
"""More than half of which are looked for by a scan of lists, not one by one."""
QUERIES = 30
BRANDS = ("Broad", "Broad", "Rare")


@cache
def vectors() -> NDArray[np.float32]:
    return random_vectors(ROWS, world.DIMENSION, seed=11)


def brand_of(number: int) -> str:
    return "Single" if number == 0 else BRANDS[number % len(BRANDS)]


@pytest.fixture(scope="module")
def shard() -> Shard:
    """Of which a search looks through one list of 128."""
    shard = Shard(world.EXTRACTOR, world.DIMENSION)
    shard.open_attributes(Indexed())
    batch = world.batch()
    for number, vector in enumerate(vectors()):
        world.listed(batch, f"p{number}", [vector], brand=brand_of(number))
    shard.apply(batch)
    shard.train(128, seed=3, nprobe=1, threads=1)
    return shard


def of_brand(name: str) -> Filter:
    tree = parse_filter({"brand": name}, Fields.declared([]))
    assert tree is not None
    return tree


def share_found(shard: Shard, queries: NDArray[np.float32], name: str) -> float:
    """Of the ten best that pass, by comparing all of them here."""
    passing = np.array([number for number in range(ROWS) if brand_of(number) == name])
    shares = []
    for query, hits in zip(queries, shard.answer(ShardQuestion(queries, 10, tree=of_brand(name))).found, strict=True):
        best = passing[np.argsort(-(vectors()[passing] @ query))][:10]
        shares.append(len({f"p{number}" for number in best} & {hit.product_id for hit in hits}) / len(best))
    return float(np.mean(shares))


@pytest.mark.parametrize("name", ["Broad", "Rare", "Single"])
def test_recall_under_a_filter_is_the_share_that_its_search_finds(shard: Shard, name: str) -> None:
    queries = random_vectors(QUERIES, world.DIMENSION, seed=5)
    found = shard.recalls(queries, 10, of_brand(name))
    assert len(found) == QUERIES
    assert np.mean(found) == pytest.approx(share_found(shard, queries, name), abs=1e-6)
    if name == "Broad":
        assert np.mean(found) < 1.0, "else this compares nothing"


def test_filter_that_nothing_passes_is_measured_by_nothing(shard: Shard) -> None:
    assert shard.recalls(random_vectors(3, world.DIMENSION), 10, of_brand("Nobody")) == []


def test_filter_needs_attributes() -> None:
    with pytest.raises(ValueError, match="open_attributes comes first"):
        Shard(world.EXTRACTOR, world.DIMENSION).recalls(random_vectors(1, world.DIMENSION), 10, of_brand("Broad"))


def test_filtered_queries_have_figures_of_their_own_and_move_no_effort(shard: Shard) -> None:
    recall, before = LiveRecall(1.0, 1.0, "shard=0"), shard.effort
    for query in random_vectors(MEASURED_BETWEEN, world.DIMENSION, seed=7):
        recall.offer(query[None], 10, of_brand("Broad"))
        assert recall.measure(shard)
    assert (recall.filtered.queries, recall.figures.queries) == (MEASURED_BETWEEN, 0)
    assert 0.0 < recall.filtered.mean < 1.0
    assert shard.effort == before
    recall.offer(random_vectors(1, world.DIMENSION), 10)
    assert recall.measure(shard)
    assert recall.figures.queries == 1
