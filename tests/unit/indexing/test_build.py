"""The builder against a shard that was fed by deltas: same images, same answers, same digest."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from indexing.build.builder import BuildSettings, ShardBuilder, assign
from indexing.build.sample import draw_keys
from indexing.lists.inverted_lists import InvertedLists
from indexing.lists.kinds import EXACT_BELOW, IndexKind, default_kind
from indexing.shard.shard import Hit, Shard
from indexing.snapshot import snapshot
from indexing.training.train import train_centroids
from schemas.deltas.delta import DeltaBatch, Progress
from schemas.errors import CorruptError, OperatorError, RejectedError
from schemas.full_index.manifest import ShardManifest
from schemas.ids import image_id
from tests.support.index.catalogue import EXTRACTOR, URL, add_image, listed, random_vectors

DIMENSION = 16
IVF = BuildSettings(kind=IndexKind.IVF_FLAT, nlist=8, threads=1)
KINDS = [
    pytest.param(BuildSettings(kind=IndexKind.EXACT), id="exact"),
    pytest.param(IVF, id="ivf_flat"),
    pytest.param(replace(IVF, kind=IndexKind.IVF_PCA), id="ivf_pca"),
    pytest.param(replace(IVF, kind=IndexKind.IVF_SQ8), id="ivf_sq8"),
    pytest.param(replace(IVF, kind=IndexKind.IVF_PQ), id="ivf_pq"),
]


def whole_catalogue() -> list[DeltaBatch]:
    """Images on sale, waiting for their vector, with an old vector, removed; awkward texts, no numbers."""
    batches = [
        listed(random_vectors(400, DIMENSION), sequence=3),
        listed(random_vectors(7, DIMENSION, 1), 4, first=400),
    ]
    last = DeltaBatch(EXTRACTOR)
    for number in range(500, 530):
        add_image(last, f"p{number}", 5)
    for number in range(530, 540):
        add_image(last, f"p{number}", 6, valid=False, vector=random_vectors(1, DIMENSION, number)[0])
    bare = image_id("çà", URL)
    last.add(bare, "çà", state_seq=7, valid=True, image_seq=7, url=URL, vector_seq=6, vector=bytes(4 * DIMENSION))
    second = image_id("p1", URL + "?2")
    vector = random_vectors(1, DIMENSION, 77)[0].tobytes()
    last.add(second, "p1", state_seq=8, valid=True, image_seq=2, url=URL + "?2", vector_seq=8, vector=vector)
    last.progress += [Progress(0, 2, 8, 900), Progress(1, 2, 5, 800)]
    return [*batches, last]


def build(
    folder: Path, batches: list[DeltaBatch], settings: BuildSettings | None = None, offset: int = 42
) -> tuple[Shard, ShardManifest]:
    with ShardBuilder(folder, EXTRACTOR, DIMENSION, settings) as builder:
        for batch in batches:
            builder.add(batch)
        manifest = builder.seal({0: offset}, "g7")
    shard, loaded = snapshot.load_files(folder)
    assert loaded == manifest
    return shard, manifest


def fed(batches: list[DeltaBatch]) -> Shard:
    shard = Shard(EXTRACTOR, DIMENSION)
    for batch in batches:
        shard.apply(batch)
    return shard


@pytest.mark.parametrize("settings", KINDS)
def test_built_shard_equals_the_one_that_deltas_made(tmp_path: Path, settings: BuildSettings) -> None:
    batches = whole_catalogue()
    live = fed(batches)
    built, manifest = build(tmp_path / "s0", batches, settings)
    queries = random_vectors(20, DIMENSION, seed=9)
    for _ in range(2):
        ours, theirs = built.search(queries, 30, nprobe=8), live.search(queries, 30)
        assert [[shown(hit) for hit in hits] for hits in ours] == [[shown(hit) for hit in hits] for hits in theirs]
        scores = [[[hit.score for hit in hits] for hits in found] for found in (ours, theirs)]
        np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)
        for product in ("p0", "p1", "p406", "p500", "p535", "nowhere"):
            assert repr(built.product(product)) == repr(live.product(product))  # repr: NaN is no NaN's equal
        assert [image.searchable for image in built.product("çà")] == [False]
        assert built.stats().digest == live.stats().digest == built.recompute_digest()
        assert counts(built) == counts(live)
        # Both go on alike: removals, new prices and vectors, re-listings, new products.
        changes = listed(random_vectors(60, DIMENSION, seed=5), sequence=20, first=380)
        for number in range(20):
            add_image(changes, f"p{number}", 20, valid=False)
        live.apply(changes)
        built.apply(changes)
    assert built.watermark_ms() == live.watermark_ms() == 800
    assert (manifest.delta_offset, manifest.generation, manifest.kind) == (42, "g7", settings.kind)
    assert [path.name for path in tmp_path.iterdir()] == ["s0"], "nothing but the result stays"


def shown(hit: Hit) -> str:
    """All of it but the score, which lists add up in another order."""
    return repr(msgspec.structs.replace(hit, score=0.0))


def counts(shard: Shard) -> tuple[int, ...]:
    stats = shard.stats()
    return stats.images, stats.valid, stats.searchable, stats.pending, stats.rows


@pytest.mark.parametrize("settings", KINDS)
def test_empty_build_loads_and_takes_deltas(tmp_path: Path, settings: BuildSettings) -> None:
    built, manifest = build(tmp_path / "s0", [], settings)
    assert (manifest.images, manifest.kind) == (0, "exact")
    built.apply(listed(random_vectors(3, DIMENSION)))
    assert built.stats().searchable == 3


def test_files_depend_on_the_images_and_not_on_their_order(tmp_path: Path) -> None:
    """A build that was killed and run again trains the same centroids."""
    vectors = random_vectors(600, DIMENSION)
    forwards = [listed(vectors[start : start + 100], first=start) for start in range(0, 600, 100)]
    _, one = build(tmp_path / "one", forwards, IVF)
    _, two = build(tmp_path / "two", forwards[::-1], IVF)
    assert one.files["centroids.bin"] == two.files["centroids.bin"]
    assert (one.nprobe, one.digest, one.training) == (two.nprobe, two.digest, two.training)
    _, other = build(tmp_path / "other", forwards, replace(IVF, seed=1))
    assert other.files["centroids.bin"] != one.files["centroids.bin"]


@pytest.mark.parametrize("wanted", [0.5, 0.9, 0.99, 1.0])
def test_chosen_nprobe_reaches_the_recall_wanted_and_is_used(tmp_path: Path, wanted: float) -> None:
    batches = [listed(random_vectors(3000, DIMENSION))]
    built, manifest = build(tmp_path / "s0", batches, replace(IVF, nlist=64, recall=wanted))
    assert manifest.training["recall_at_10"] >= wanted
    assert manifest.training["recall_wanted"] == wanted
    assert built.nprobe == manifest.nprobe == built.stats().nprobe
    queries = random_vectors(300, DIMENSION, seed=5)
    exact = built.search(queries, 10, nprobe=64)
    found = sum(
        len({hit.image_id for hit in a} & {hit.image_id for hit in b})
        for a, b in zip(built.search(queries, 10), exact, strict=True)
    )
    assert found / 3000 >= wanted - 0.06, "fresh queries find what the held-back ones promised"
    assert built.search(queries, 10) == built.search(queries, 10, nprobe=manifest.nprobe)
    if wanted < 0.99:
        assert manifest.nprobe < 64, "no more lists than needed"


def test_smaller_nprobe_would_miss_the_recall_wanted(tmp_path: Path) -> None:
    batches = [listed(random_vectors(3000, DIMENSION))]
    _, manifest = build(tmp_path / "s0", batches, replace(IVF, nlist=64, recall=0.9))
    _, less = build(tmp_path / "s1", batches, replace(IVF, nlist=64, recall=manifest.training["recall_at_10"] - 0.05))
    assert less.nprobe < manifest.nprobe
    assert less.training["recall_at_10"] < manifest.training["recall_at_10"]


def test_equal_pictures_do_not_count_as_misses(tmp_path: Path) -> None:
    """Forty products with one picture: whichever ten of them came first, they are the nearest."""
    vectors = np.repeat(random_vectors(30, DIMENSION), 40, axis=0)
    _, manifest = build(tmp_path / "s0", [listed(vectors)], replace(IVF, recall=1.0))
    assert (manifest.nprobe, manifest.training["recall_at_10"]) == (1, 1.0)


def test_given_centroids_are_kept(tmp_path: Path) -> None:
    centroids = train_centroids(random_vectors(200, DIMENSION, seed=3), 4, seed=0)
    with ShardBuilder(tmp_path / "s0", EXTRACTOR, DIMENSION, IVF) as builder:
        builder.add(listed(random_vectors(100, DIMENSION)))
        manifest = builder.seal({0: 0}, centroids=centroids)
    assert (manifest.lists, manifest.training["sample"]) == (4, 0)
    assert np.array_equal(np.fromfile(tmp_path / "s0" / "centroids.bin", np.float32), centroids.ravel())


def test_assign_agrees_with_a_live_shards_lists() -> None:
    centroids = train_centroids(random_vectors(200, DIMENSION, seed=3), 16, seed=0)
    vectors = random_vectors(500, DIMENSION)
    assert assign(vectors, centroids).tolist() == InvertedLists(DIMENSION, centroids).assign(vectors)


def test_lists_have_free_space_as_the_settings_say(tmp_path: Path) -> None:
    batches = [listed(random_vectors(2000, DIMENSION))]
    entry = 4 * DIMENSION + 8
    for headroom in (0.0, 1.0):
        _, manifest = build(tmp_path / f"h{headroom}", batches, replace(IVF, headroom=headroom))
        used = 2000 * (1 + headroom) * entry
        assert used <= manifest.files["lists.bin"].size <= used + 8 * 2 * entry


def test_unusable_vectors_are_left_out_as_a_shard_leaves_them_out(tmp_path: Path) -> None:
    batch = DeltaBatch(EXTRACTOR)
    bad = np.full(DIMENSION, np.nan, dtype=np.float32)
    for number, vector in enumerate((bad, random_vectors(1, DIMENSION + 1)[0], random_vectors(1, DIMENSION)[0])):
        add_image(batch, f"p{number}", 1, vector=vector)
    foreign = listed(random_vectors(2, DIMENSION), first=10)
    foreign.extractor_id = "other/1"
    with ShardBuilder(tmp_path / "s0", EXTRACTOR, DIMENSION) as builder:
        builder.add(batch)
        builder.add(foreign)
        assert builder.ignored_vectors == 4
        manifest = builder.seal({0: 0})
    assert (manifest.valid, manifest.searchable) == (5, 1)
    assert manifest.digest == fed([batch, foreign]).stats().digest.hex()


def test_image_that_comes_twice_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(CorruptError, match=image_id("p3", URL).hex()),
        ShardBuilder(tmp_path / "s0", EXTRACTOR, DIMENSION) as builder,
    ):
        builder.add(listed(random_vectors(10, DIMENSION)))
        builder.add(listed(random_vectors(1, DIMENSION), sequence=2, first=3))
        builder.seal({0: 0})
    assert list(tmp_path.iterdir()) == []


def test_row_without_state_or_image_id_is_refused_whole(tmp_path: Path) -> None:
    half = listed(random_vectors(2, DIMENSION))
    half.add(image_id("p9", URL), "p9", vector_seq=1, vector=bytes(4 * DIMENSION))
    nameless = listed(random_vectors(2, DIMENSION))
    nameless.add(b"short", "p9", state_seq=1)
    with ShardBuilder(tmp_path / "s0", EXTRACTOR, DIMENSION) as builder:
        with pytest.raises(RejectedError, match="image_without_state"):
            builder.add(half)
        with pytest.raises(RejectedError, match="invalid_image_id"):
            builder.add(nameless)
        assert len(builder) == 0
        assert builder.seal({0: 0}).images == 0


def test_killed_build_leaves_no_result_and_runs_again(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from indexing.snapshot import snapshot\n"
        "from tests.unit.indexing.test_build import build, whole_catalogue, IVF\n"
        "snapshot.map_lists = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "build(Path(sys.argv[1]), whole_catalogue(), IVF)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, tmp_path / "s0"], cwd=Path.cwd(), check=False)
    assert killed.returncode == -9
    assert not (tmp_path / "s0").exists()
    assert list(tmp_path.iterdir()), "the kill came in the middle"
    built, _ = build(tmp_path / "s0", whole_catalogue(), IVF)
    assert built.stats().digest == fed(whole_catalogue()).stats().digest
    assert [path.name for path in tmp_path.iterdir()] == ["s0"]


def test_folder_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    build(tmp_path / "s0", [])
    with pytest.raises(OperatorError, match="another generation"):
        ShardBuilder(tmp_path / "s0", EXTRACTOR, DIMENSION)


def test_more_lists_than_vectors_says_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(OperatorError, match="lower nlist"),
        ShardBuilder(tmp_path / "s0", EXTRACTOR, DIMENSION, replace(IVF, nlist=50)) as builder,
    ):
        builder.add(listed(random_vectors(10, DIMENSION)))
        builder.seal({0: 0})


def test_few_vectors_are_searched_exactly_unless_told_otherwise(tmp_path: Path) -> None:
    assert default_kind(EXACT_BELOW - 1, 768) is IndexKind.EXACT
    assert default_kind(EXACT_BELOW, 768) is IndexKind.IVF_PCA
    assert default_kind(EXACT_BELOW, 128) is IndexKind.IVF_FLAT
    built, manifest = build(tmp_path / "s0", [listed(random_vectors(50, DIMENSION))])
    assert (manifest.kind, built.stats().index_kind) == ("exact", "exact")
    assert manifest.training == {"vectors": 50, "recall_at_10": 1.0}


@pytest.mark.parametrize("wrong", [{"nlist": 0}, {"recall": 0.0}, {"recall": 1.1}, {"headroom": -0.1}])
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OperatorError, match=next(iter(wrong))):
        BuildSettings(**wrong)  # type: ignore[arg-type]


def test_draw_is_even_and_follows_the_seed() -> None:
    ids = np.frombuffer(b"".join(image_id(f"p{number}", URL) for number in range(4000)), dtype="V16")
    keys = draw_keys(ids, 0)
    assert len(np.unique(keys)) == 4000
    assert 180 < int((keys < np.uint64(1 << 60)).sum()) < 330, "a sixteenth of them, give or take"
    assert not np.array_equal(keys, draw_keys(ids, 1))
    assert np.array_equal(keys[::-1], draw_keys(ids[::-1], 0))
