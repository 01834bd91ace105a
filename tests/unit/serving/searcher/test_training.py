from __future__ import annotations

import time
from pathlib import Path

import pytest

from indexing.build.builder import BuildSettings, ShardBuilder
from indexing.lists.kinds import IndexKind
from indexing.snapshot import snapshot
from schemas.deltas.delta import DeltaBatch
from serving.searcher.feeding.training import Trainer
from tests.support.serving.found import hits
from tests.support.serving.world import DIMENSION, EXTRACTOR, apply, batch, direction, listed, query, ready_searcher


def products(count: int, first: int = 0) -> DeltaBatch:
    deltas = batch()
    for number in range(first, first + count):
        listed(deltas, f"p{number}", [direction(number)])
    return deltas


def test_shard_is_trained_once_it_is_large_and_again_when_it_has_outgrown_its_lists() -> None:
    searcher = ready_searcher(deltas=products(199))
    shard = searcher.index
    assert shard is not None
    trainer = Trainer(searcher, train_at_images=200)
    trainer.train_when_due(shard)
    assert shard.stats().index_kind == "exact"
    apply(searcher, products(1, first=199))

    def trained_on(vectors: int) -> None:
        deadline = time.monotonic() + 60
        while shard.training.get("vectors") != vectors:
            trainer.train_when_due(shard)
            assert time.monotonic() < deadline
            time.sleep(0.005)

    trained_on(200)
    assert shard.stats().index_kind == "ivf_flat"
    apply(searcher, products(199, first=200))
    trainer.train_when_due(shard)
    assert shard.training["vectors"] == 200
    apply(searcher, products(1, first=399))
    trained_on(400)
    best = hits(searcher.search(query(direction(5), limit=1)))[0]
    assert best.product_id == "p5"


@pytest.mark.parametrize(("kind", "trained"), [(None, True), (IndexKind.EXACT, False)])
def test_built_exact_index_is_trained_unless_it_was_chosen_exact(
    tmp_path: Path, kind: IndexKind | None, trained: bool
) -> None:
    with ShardBuilder(tmp_path / "s0", EXTRACTOR, DIMENSION, BuildSettings(kind=kind)) as builder:
        builder.add(products(250))
        builder.seal({0: 0})
    shard, _ = snapshot.load_files(tmp_path / "s0")
    searcher = ready_searcher()
    searcher.begin(shard)
    trainer = Trainer(searcher, train_at_images=200)
    trainer.train_when_due(shard)
    while trainer.is_training:
        time.sleep(0.005)
    assert shard.stats().index_kind == ("ivf_flat" if trained else "exact")


def test_built_lists_are_trained_again_only_when_outgrown(tmp_path: Path) -> None:
    settings = BuildSettings(kind=IndexKind.IVF_FLAT, nlist=4)
    with ShardBuilder(tmp_path / "s0", EXTRACTOR, DIMENSION, settings) as builder:
        builder.add(products(250))
        builder.seal({0: 0})
    shard, _ = snapshot.load_files(tmp_path / "s0")
    searcher = ready_searcher()
    searcher.begin(shard)
    trainer = Trainer(searcher, train_at_images=200)
    apply(searcher, products(249, first=250))
    trainer.train_when_due(shard)
    assert not trainer.is_training
    assert shard.training["nlist"] == 4
    apply(searcher, products(1, first=499))
    trainer.train_when_due(shard)
    while trainer.is_training:
        time.sleep(0.005)
    assert shard.training["vectors"] == 500
