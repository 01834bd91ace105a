"""The coded kinds: codes are scanned, the best are ranked by their stored vectors, all of it live."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from indexing.build.builder import BuildSettings, ShardBuilder
from indexing.lists.codec import code_bytes, train_codec
from indexing.lists.inverted_lists import Part
from indexing.lists.kinds import IndexKind
from indexing.lists.reranked import CodedLists
from indexing.shard.shard import Shard
from indexing.snapshot import snapshot
from schemas.deltas.delta import DeltaBatch
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.manifest import ShardManifest
from schemas.ids import image_id
from tests.support.index.catalogue import URL, add_image, listed, random_vectors
from tests.unit.indexing.test_build import DIMENSION, build

CODED = [IndexKind.IVF_PCA, IndexKind.IVF_SQ8, IndexKind.IVF_PQ]


def built(folder: Path, kind: IndexKind, images: int = 2000) -> tuple[Shard, ShardManifest]:
    settings = BuildSettings(kind=kind, nlist=16, threads=1)
    return build(folder, [listed(random_vectors(images, DIMENSION))], settings)


@pytest.mark.parametrize("kind", CODED)
def test_scores_are_those_of_the_vectors(tmp_path: Path, kind: IndexKind) -> None:
    shard, _ = built(tmp_path / "s0", kind)
    vectors = random_vectors(2000, DIMENSION)
    queries = random_vectors(20, DIMENSION, seed=3)
    for query, hits in zip(queries, shard.search(queries, 10), strict=True):
        assert len(hits) == 10
        for hit in hits:
            assert abs(hit.score - float(query @ vectors[int(hit.product_id[1:])])) < 1e-5
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("kind", CODED)
def test_recall_of_a_coded_kind_is_measured_through_its_codes(tmp_path: Path, kind: IndexKind) -> None:
    shard, manifest = built(tmp_path / "s0", kind)
    assert manifest.kind == shard.stats().index_kind == kind.value
    assert manifest.training["recall_at_10"] > 0.95
    flat, _ = built(tmp_path / "flat", IndexKind.IVF_FLAT)
    queries = random_vectors(200, DIMENSION, seed=4)
    truth = flat.search(queries, 10, nprobe=16)
    found = sum(
        len({hit.image_id for hit in a} & {hit.image_id for hit in b})
        for a, b in zip(shard.search(queries, 10), truth, strict=True)
    )
    assert abs(found / 2000 - manifest.training["recall_at_10"]) < 0.05


@pytest.mark.parametrize("kind", CODED)
def test_every_vector_has_its_code_in_the_same_place(tmp_path: Path, kind: IndexKind) -> None:
    _, manifest = built(tmp_path / "s0", kind)
    entries = manifest.files["lists.bin"].size // (4 * DIMENSION + 8)
    assert manifest.files["codes.bin"].size == entries * (code_bytes(kind, DIMENSION) + 8)
    lists = snapshot.map_lists(tmp_path / "s0", manifest)
    assert isinstance(lists, CodedLists)
    for (stored, rows), (codes, coded_rows) in zip(lists.parts(), lists.code_parts(), strict=True):
        assert np.array_equal(rows, coded_rows)
        assert lists.codec.encode(stored).tobytes() == codes.tobytes()


@pytest.mark.parametrize("kind", CODED)
def test_coded_shard_lives_through_deltas_snapshots_and_training(tmp_path: Path, kind: IndexKind) -> None:
    shard, _ = built(tmp_path / "s0", kind, images=500)
    before = random_vectors(500, DIMENSION)
    # Far more than the free space, so that lists grow; new vectors for known images, and removals.
    changes = listed(random_vectors(1500, DIMENSION, seed=5), sequence=7, first=400)
    for number in range(100):
        add_image(changes, f"p{number}", 7, valid=False)
    shard.apply(changes)
    vectors = np.concatenate([before[:400], random_vectors(1500, DIMENSION, seed=5)])
    vectors[:100] = -1  # removed: never the nearest of what is searched
    snapshot.save(shard, tmp_path / "snapshots", {0: 3})
    restored, manifest_read = snapshot.restore(tmp_path / "snapshots")
    assert manifest_read.delta_offsets == {0: 3}
    queries = random_vectors(30, DIMENSION, seed=6)
    for step in (shard, restored):
        check_nearest(step, queries, vectors)
    restored.train(8, seed=1, threads=1)
    assert restored.stats().index_kind == kind.value
    check_nearest(restored, queries, vectors)
    assert restored.stats().digest == shard.stats().digest == restored.recompute_digest()
    assert restored.product("p450") == shard.product("p450")


def check_nearest(shard: Shard, queries: np.ndarray, vectors: np.ndarray) -> None:
    """Nearly all of the ten nearest are found, and nothing that was removed."""
    scores = queries @ vectors.T
    scores[:, :100] = -np.inf
    nearest = np.argsort(-scores, axis=1)[:, :10]
    hits = shard.search(queries, 10, nprobe=100)
    found = [[int(hit.product_id[1:]) for hit in line] for line in hits]
    assert all(number >= 100 for line in found for number in line)
    assert sum(len(set(a) & set(b)) for a, b in zip(found, nearest.tolist(), strict=True)) >= 0.97 * 10 * len(queries)


@pytest.mark.parametrize("kind", CODED)
@pytest.mark.parametrize("name", ["lists.bin", "codes.bin", "codec.bin"])
@pytest.mark.parametrize("damage", ["cut", "altered", "missing"])
def test_damaged_file_of_a_coded_kind_is_named(tmp_path: Path, kind: IndexKind, name: str, damage: str) -> None:
    built(tmp_path / "s0", kind, images=300)
    file = tmp_path / "s0" / name
    data = bytearray(file.read_bytes())
    file.unlink()
    if damage == "cut":
        file.write_bytes(data[:-1])
    elif damage == "altered":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    with pytest.raises(CorruptError, match=name):
        snapshot.load_files(tmp_path / "s0")


@pytest.mark.parametrize("kind", CODED)
def test_search_in_an_emptied_coded_shard_finds_nothing(tmp_path: Path, kind: IndexKind) -> None:
    shard, _ = built(tmp_path / "s0", kind, images=50)
    removal = DeltaBatch(shard.extractor_id)
    for number in range(50):
        add_image(removal, f"p{number}", 9, valid=False)
    shard.apply(removal)
    assert shard.search(random_vectors(3, DIMENSION), 10) == [[], [], []]


def test_codec_is_the_same_for_the_same_sample_and_seed() -> None:
    sample = random_vectors(600, DIMENSION)
    for kind in CODED:
        one, two = train_codec(kind, sample, 3), train_codec(kind, sample, 3)
        assert np.array_equal(one.parameters, two.parameters)
        assert one.encode(sample).tobytes() == two.encode(sample).tobytes()


def test_pq_takes_64_bytes_and_sq8_a_byte_a_number() -> None:
    assert [code_bytes(IndexKind.IVF_PQ, dimension) for dimension in (256, 512, 1280)] == [64, 64, 64]
    assert code_bytes(IndexKind.IVF_SQ8, 512) == 512


def test_dimension_that_a_coded_kind_cannot_take_is_refused_before_the_build(tmp_path: Path) -> None:
    settings = BuildSettings(kind=IndexKind.IVF_SQ8)
    with pytest.raises(OperatorError, match="multiples of 4"):
        ShardBuilder(tmp_path / "s0", "x/1", 7, settings)


def test_vectors_are_gathered_from_the_file_and_from_lists_that_outgrew_it(tmp_path: Path) -> None:
    _, manifest = built(tmp_path / "s0", IndexKind.IVF_PQ, images=500)
    lists = snapshot.map_lists(tmp_path / "s0", manifest)
    added = random_vectors(300, DIMENSION, seed=8)
    for number, (list_number, vector) in enumerate(zip(lists.assign(added), added, strict=True)):
        # All in half of the lists: these leave the file's memory, the others stay there.
        lists.append(list_number // 2 * 2, 500 + number, vector)
    assert isinstance(lists, CodedLists)
    rows = np.random.default_rng(9).permutation(800)
    stored = [lists.vector(row) for row in rows.tolist()]
    assert lists.vectors(rows).tobytes() == b"".join(vector.tobytes() for vector in stored if vector is not None)
    assert lists.vectors(rows[:0]).shape == (0, DIMENSION)


@pytest.mark.parametrize("kind", list(IndexKind))
def test_erased_vectors_and_their_codes_are_gone_from_the_next_files(tmp_path: Path, kind: IndexKind) -> None:
    shard, _ = built(tmp_path / "s0", kind, images=300)
    vectors = random_vectors(300, DIMENSION)
    before = {
        row: code.tobytes() for codes, ids in _codes(shard) for row, code in zip(ids.tolist(), codes, strict=True)
    }
    batch = DeltaBatch("test/1")
    for number in range(20):
        batch.add(image_id(f"p{number}", URL), f"p{number}", state_seq=9, image_seq=9, erased_seq=9)
    shard.apply(batch)
    snapshot.save(shard, tmp_path / "snapshot", {0: 1})
    data = b"".join(file.read_bytes() for file in (tmp_path / "snapshot").rglob("*") if file.is_file())
    assert [number for number, vector in enumerate(vectors) if vector.tobytes() in data] == list(range(20, 300))
    after = {row: code.tobytes() for codes, ids in _codes(shard) for row, code in zip(ids.tolist(), codes, strict=True)}
    assert sum(code != after[row] for row, code in before.items()) == (20 if kind.coded else 0)
    loaded, _ = snapshot.restore(tmp_path / "snapshot")
    assert {len(loaded.product(f"p{number}")) for number in range(20)} == {0}
    assert len(loaded.search(vectors[:1], 300, nprobe=16)[0]) == 280


def _codes(shard: Shard) -> list[Part]:
    lists = shard._state.lists
    return lists.code_parts() if isinstance(lists, CodedLists) else []


def test_built_row_of_an_erased_image_refuses_its_old_vector_and_holds_no_text(tmp_path: Path) -> None:
    (vector,) = random_vectors(1, DIMENSION, seed=7)
    erasure = DeltaBatch("test/1")
    erasure.add(image_id("p-MARKER", URL), "p-MARKER", state_seq=9, image_seq=9, erased_seq=9)
    shard, _ = build(tmp_path / "s0", [listed(random_vectors(100, DIMENSION)), erasure], BuildSettings(threads=1))
    late = DeltaBatch("test/1")
    late.add(image_id("p-MARKER", URL), "p-MARKER", vector_seq=8, vector=vector.tobytes())
    shard.apply(late)
    snapshot.save(shard, tmp_path / "snapshot", {0: 1})
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"MARKER" not in file.read_bytes()
            assert vector.tobytes() not in file.read_bytes()


def test_built_row_of_an_image_that_came_back_after_an_erasure_refuses_its_old_vector(tmp_path: Path) -> None:
    old, new = random_vectors(2, DIMENSION, seed=7)
    back = DeltaBatch("test/1")
    add_image(back, "back", 12)
    back.image_seq[-1], back.erased_seq[-1] = 12, 9
    shard, manifest = build(tmp_path / "s0", [listed(random_vectors(100, DIMENSION)), back], BuildSettings(threads=1))
    assert (manifest.valid, manifest.searchable) == (101, 100)
    for sequence, vector in ((8, old), (12, new)):
        late = DeltaBatch("test/1")
        late.add(image_id("back", URL), "back", vector_seq=sequence, vector=vector.tobytes())
        shard.apply(late)
        (image,) = shard.product("back")
        assert image.vector == (vector.tobytes() if sequence == 12 else b"")
    assert shard.stats().digest == shard.recompute_digest()
