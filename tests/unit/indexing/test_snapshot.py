from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import pytest

from indexing.shard.contents import ShardContents
from indexing.shard.shard import Shard
from indexing.snapshot import snapshot
from schemas.deltas.delta import DeltaBatch, Progress
from schemas.errors import CorruptError
from schemas.full_index.manifest import decode_manifest
from tests.support.index.catalogue import EXTRACTOR, add_image, listed, random_vectors

DIMENSION = 7  # odd: row numbers behind the codes must stay aligned
FILES = ["rows.bin", "validity.bin", "texts.bin", "lists.bin", "centroids.bin", "layout.json", "manifest.json"]


def trained() -> Shard:
    shard = Shard(EXTRACTOR, DIMENSION)
    shard.apply(listed(random_vectors(300, DIMENSION)))
    churn = listed(random_vectors(50, DIMENSION, seed=1), sequence=2)
    for number in range(60, 80):
        add_image(churn, f"p{number}", 2, valid=False)
    churn.progress.append(Progress(0, 1, 7, 1234))
    shard.apply(churn)
    shard.train(8, seed=1, threads=1)
    shard.apply(listed(random_vectors(20, DIMENSION, seed=2), first=300))
    return shard


def current(folder: Path) -> Path:
    return folder / (folder / snapshot.CURRENT).read_text()


def test_restored_shard_is_the_same_and_goes_on_alike(tmp_path: Path) -> None:
    shard = trained()
    manifest = snapshot.save(shard, tmp_path, {0: 42})
    restored, manifest_read = snapshot.restore(tmp_path)
    assert manifest_read.delta_offsets == {0: 42}
    queries = random_vectors(10, DIMENSION, seed=3)
    for _ in range(2):
        assert restored.search(queries, 20) == shard.search(queries, 20)
        assert restored.product("p5") == shard.product("p5")
        assert restored.stats().digest == shard.stats().digest == restored.recompute_digest()
        assert restored.stats().rows == shard.stats().rows
        more = listed(random_vectors(200, DIMENSION, seed=4), sequence=3, first=200)
        shard.apply(more)
        restored.apply(more)
    assert (restored.nprobe, restored.training) == (shard.nprobe, shard.training)
    assert restored.watermark_ms() == 1234
    assert (manifest.valid, manifest.searchable, manifest.images) == (300, 300, 320)
    assert manifest.kind == "ivf_flat"


def test_empty_shard_is_restored(tmp_path: Path) -> None:
    snapshot.save(Shard(EXTRACTOR, DIMENSION), tmp_path, {0: 0})
    restored, manifest_read = snapshot.restore(tmp_path)
    assert manifest_read.delta_offsets == {0: 0}
    restored.apply(listed(random_vectors(3, DIMENSION)))
    assert restored.stats().searchable == 3


def test_exact_shard_is_restored_again_and_again(tmp_path: Path) -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    vectors = random_vectors(50, DIMENSION)
    for round_number in range(5):
        shard.apply(listed(vectors[10 * round_number : 10 * round_number + 10], first=10 * round_number))
        snapshot.save(shard, tmp_path, {0: round_number})
        shard, _ = snapshot.restore(tmp_path)
    assert len(shard.search(vectors[:1], 100)[0]) == 50
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [current(tmp_path).name]


def test_no_snapshot_yet(tmp_path: Path) -> None:
    assert not snapshot.exists(tmp_path)
    with pytest.raises(FileNotFoundError):
        snapshot.restore(tmp_path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["cut", "altered", "missing"])
def test_damaged_file_is_named(tmp_path: Path, name: str, damage: str) -> None:
    snapshot.save(trained(), tmp_path, {0: 1})
    file = current(tmp_path) / name
    data = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(data[:-1])
    elif damage == "altered":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    else:
        file.unlink()
    with pytest.raises(CorruptError, match=name):
        snapshot.restore(tmp_path)


def test_failed_snapshot_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = trained()
    snapshot.save(shard, tmp_path, {0: 1})
    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "encode_manifest", lambda manifest: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            snapshot.save(shard, tmp_path, {0: 2})
    assert snapshot.restore(tmp_path)[1].delta_offset == 1
    snapshot.save(shard, tmp_path, {0: 3})
    assert snapshot.restore(tmp_path)[1].delta_offset == 3
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1, "what the failure left is removed"


def test_contents_do_not_change_while_the_writer_goes_on(tmp_path: Path) -> None:
    shard = trained()
    before = shard.stats()
    contents = shard.contents()
    removal = DeltaBatch(EXTRACTOR)
    for number in range(320):
        add_image(removal, f"p{number}", 9, valid=False)
    shard.apply(removal)
    shard.apply(listed(random_vectors(500, DIMENSION, seed=5), sequence=10))
    manifest = snapshot.publish(contents, tmp_path, {0: 5})
    assert manifest.digest == before.digest.hex()
    assert snapshot.restore(tmp_path)[0].stats().searchable == before.searchable


def test_files_from_plain_arrays_load(tmp_path: Path) -> None:
    """The full index writes without a live shard."""
    source = trained().contents()
    order = np.argsort(source.rows["state_seq"], kind="stable")[::-1]
    position = np.empty(len(order), dtype=np.int64)
    position[order] = np.arange(len(order))
    rebuilt = ShardContents(
        extractor_id=EXTRACTOR,
        dimension=DIMENSION,
        rows=np.ascontiguousarray(source.rows[order]),
        validity=np.packbits(np.unpackbits(source.validity, bitorder="little")[order], bitorder="little"),
        texts=[bytes(chunk) for chunk in source.texts],
        lists=[(codes, position[ids]) for codes, ids in source.lists],
        centroids=source.centroids,
        categories=source.categories,
        brands=source.brands,
        nprobe=8,
    )
    snapshot.write_files(rebuilt, tmp_path / "generation", {0: 0}, generation="g1")
    shard, manifest = snapshot.load_files(tmp_path / "generation")
    assert manifest.generation == "g1"
    assert shard.stats().digest == trained().stats().digest == shard.recompute_digest()
    queries = random_vectors(5, DIMENSION, seed=8)
    assert shard.search(queries, 30) == trained().search(queries, 30, nprobe=8)


def test_manifest_of_another_format_says_what_to_do() -> None:
    body = msgspec.json.encode({"format": 99})
    data = msgspec.json.encode({"checksum": blake2b(body, digest_size=16).hexdigest(), "manifest": msgspec.Raw(body)})
    with pytest.raises(CorruptError, match="99"):
        decode_manifest(data)
