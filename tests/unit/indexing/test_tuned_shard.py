"""A shard whose vectors are made of base features: fed, built, kept and restored; two tunings of one catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.build.builder import BuildSettings, ShardBuilder
from indexing.lists.kinds import IndexKind
from indexing.look.looks import Look, Tuned, Untuned
from indexing.shard.shard import Shard
from indexing.snapshot import snapshot
from schemas.deltas.delta import DeltaBatch
from schemas.features.stored import feature_bytes
from schemas.ids import image_id
from tests.support.index.catalogue import URL
from tests.support.pictures.looks import FEATURES, base_rows, small_look

LOOK, OTHER = small_look(1), small_look(2, numbers=3)
BASE = base_rows(120, seed=9)
KINDS = [None, BuildSettings(kind=IndexKind.IVF_FLAT, nlist=4, threads=1)]


def deltas(
    base: NDArray[np.float32] = BASE, sequence: int = 1, first: int = 0, extractor_id: str = FEATURES
) -> DeltaBatch:
    batch = DeltaBatch(extractor_id)
    for number, feature in enumerate(feature_bytes(base, FEATURES), first):
        product = f"p{number}"
        batch.add(image_id(product, URL), product, state_seq=sequence, valid=True, image_seq=1, url=URL,
                  vector_seq=sequence, vector=feature)  # fmt: skip
    return batch


def fed(look: Look, *batches: DeltaBatch) -> Shard:
    shard = Shard(look.extractor_id, look.dimension, look)
    for batch in batches:
        shard.apply(batch)
    return shard


def built(folder: Path, look: Look, batch: DeltaBatch, settings: BuildSettings | None) -> Shard:
    with ShardBuilder(folder, look.extractor_id, look.dimension, settings, look) as builder:
        builder.add(batch)
        builder.seal({0: 7}, "g7")
    return snapshot.load_files(folder, look)[0]


def first_found(shard: Shard, look: Tuned, base: NDArray[np.float32]) -> list[str]:
    return [hits[0].product_id for hits in shard.search(look.tuning.items(base), 1, nprobe=4)]


@pytest.mark.parametrize("settings", KINDS, ids=["exact", "ivf"])
def test_built_shard_equals_the_one_that_deltas_made_and_goes_on_alike(
    tmp_path: Path, settings: BuildSettings | None
) -> None:
    live, full = fed(LOOK, deltas()), built(tmp_path / "s0", LOOK, deltas(), settings)
    changes = deltas(base_rows(30, seed=10), sequence=5, first=100)
    for shard in (live, full):
        assert first_found(shard, LOOK, BASE[:20]) == [f"p{number}" for number in range(20)]
    assert live.stats().digest == full.stats().digest == full.recompute_digest() == live.recompute_digest()
    for shard in (live, full):
        shard.apply(changes)
        assert first_found(shard, LOOK, base_rows(30, seed=10)) == [f"p{number}" for number in range(100, 130)]
        assert shard.stats().ignored_vectors == 0
    assert live.stats().digest == full.stats().digest == live.recompute_digest() == full.recompute_digest()


def test_digest_is_of_features_whatever_they_are_searched_by(tmp_path: Path) -> None:
    one, other = fed(LOOK, deltas()), fed(OTHER, deltas())
    untuned = fed(Untuned(FEATURES, 3284), deltas())
    assert one.stats().digest == other.stats().digest == untuned.stats().digest == untuned.recompute_digest()
    assert built(tmp_path / "s0", OTHER, deltas(), None).stats().digest == one.stats().digest
    shown = np.frombuffer(one.product("p3")[0].vector or b"", "<f4")
    np.testing.assert_allclose(shown, LOOK.vectors(feature_bytes(BASE[3:4], FEATURES))[0], atol=1e-5)
    changed = BASE.copy()
    changed[3] = base_rows(1, seed=77)[0]
    assert fed(LOOK, deltas(changed)).stats().digest != one.stats().digest


def test_snapshot_goes_on_under_its_own_tuning(tmp_path: Path) -> None:
    shard = fed(LOOK, deltas())
    snapshot.publish(shard.contents(), tmp_path, {0: 1})
    restored, manifest = snapshot.restore(tmp_path, LOOK)
    assert manifest.extractor_id == LOOK.extractor_id
    for each in (shard, restored):
        each.apply(deltas(base_rows(5, seed=3), sequence=9, first=200))
    assert restored.stats().digest == shard.stats().digest
    assert first_found(restored, LOOK, base_rows(5, seed=3)) == [f"p{number}" for number in range(200, 205)]
    foreign, _ = snapshot.restore(tmp_path, OTHER)
    assert foreign.extractor_id == LOOK.extractor_id, "whoever has another tuning sees whose it is"


def test_features_that_are_none_are_left_out_and_counted() -> None:
    shard = fed(LOOK, deltas(BASE[:3]))
    shard.apply(deltas(BASE[:3], sequence=4, first=50, extractor_id=LOOK.extractor_id))
    short = deltas(BASE[:2], sequence=4, first=60)
    short.vector[0] = short.vector[0][:-4] if short.vector[0] else None
    assert short.vector[1] is not None
    short.vector[1] = np.float32("inf").tobytes() + short.vector[1][4:]
    shard.apply(short)
    stats = shard.stats()
    assert (stats.images, stats.searchable, stats.ignored_vectors) == (8, 3, 5)


def test_shard_and_look_must_be_of_one_extractor() -> None:
    with pytest.raises(ValueError, match="the look is of"):
        Shard(OTHER.extractor_id, OTHER.dimension, LOOK)
