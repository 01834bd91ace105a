"""The sample of queries: uniform, kept over restarts, of vectors alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import CorruptError
from schemas.features.ids import tuned_id
from schemas.features.recorded import read_features, read_vectors
from schemas.features.stored import feature_bytes
from serving.local import LocalBackend
from serving.recorded import MOST_TUNINGS, RecordedQueries, Reservoir
from tests.support.pictures.looks import FEATURES, base_rows
from tests.support.serving.broker_world import broker_over
from tests.support.serving.world import DIMENSION, EXTRACTOR, direction, query, ready_searcher

pytestmark = pytest.mark.anyio

NUMBERS = np.empty((0, 1), np.float32)
TIMEOUT_S = 20.0
CHI_SQUARE_AT_ONE_IN_A_THOUSAND = 148.2
"""Of 99 degrees of freedom: a uniform sample exceeds it once in a thousand seeds, and the seed is fixed."""


def numbered(first: int, last: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.arange(first, last, dtype=np.float32)[:, None]


def chi_square(times: list[np.ndarray[tuple[int, int], np.dtype[np.float32]]], offered: int) -> float:
    counts = np.bincount(np.concatenate(times).ravel().astype(int), minlength=offered)
    expected = counts.sum() / offered
    return float(((counts - expected) ** 2 / expected).sum())


def test_every_vector_is_in_the_sample_with_the_same_probability() -> None:
    random = np.random.default_rng(1)
    samples = []
    for _ in range(2000):
        reservoir = Reservoir(10, NUMBERS, random)
        for first in range(0, 100, 25):
            reservoir.offer(numbered(first, first + 25))
        samples.append(reservoir.rows)
    assert chi_square(samples, 100) < CHI_SQUARE_AT_ONE_IN_A_THOUSAND


def test_sample_stays_uniform_over_a_restart() -> None:
    random = np.random.default_rng(2)
    samples = []
    for _ in range(2000):
        before, after = (
            Reservoir(10, NUMBERS, random),
            Reservoir(10, NUMBERS, random),
        )
        before.offer(numbered(0, 60))
        after.resume(before.rows, before.seen)
        after.offer(numbered(60, 100))
        samples.append(after.rows)
    assert chi_square(samples, 100) < CHI_SQUARE_AT_ONE_IN_A_THOUSAND


def test_smaller_setting_keeps_a_uniform_part() -> None:
    random = np.random.default_rng(3)
    samples = []
    for _ in range(2000):
        before, after = (
            Reservoir(20, NUMBERS, random),
            Reservoir(10, NUMBERS, random),
        )
        before.offer(numbered(0, 60))
        after.resume(before.rows, before.seen)
        after.offer(numbered(60, 100))
        samples.append(after.rows)
    assert {len(sample) for sample in samples} == {10}
    assert chi_square(samples, 100) < CHI_SQUARE_AT_ONE_IN_A_THOUSAND


async def asked(folder: Path, size: int, *numbers: int, extractor_id: str = EXTRACTOR, generation: str = "") -> None:
    """A broker's life: it answers a query for each number."""
    recorded = RecordedQueries(folder, size)
    await recorded.load()
    broker = broker_over([[LocalBackend(ready_searcher())]], recorded=recorded)
    for number in numbers:
        request = query(direction(number), extractor_id=extractor_id)
        request.generation = generation
        await broker.search(request, TIMEOUT_S)
    await broker.close()


async def test_queries_are_kept_by_extractor_and_over_restarts(tmp_path: Path) -> None:
    await asked(tmp_path, 50, 1, 2)
    await asked(tmp_path, 50, 3, extractor_id="")
    rows = read_vectors(tmp_path / f"{EXTRACTOR}.npy")
    assert rows.dtype == np.float32
    assert sorted(row.tobytes() for row in rows) == sorted(direction(number).tobytes() for number in (1, 2, 3))
    assert {file.suffix for file in tmp_path.iterdir()} == {".npy", ".json"}


async def test_query_that_names_its_generation_is_no_shoppers(tmp_path: Path) -> None:
    await asked(tmp_path, 50, 1, generation="live")
    assert list(tmp_path.iterdir()) == []


async def test_nothing_is_recorded_when_switched_off(tmp_path: Path) -> None:
    await asked(tmp_path / "none", 0, 1)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"{}"])
async def test_damaged_sample_is_begun_anew(tmp_path: Path, damage: bytes) -> None:
    await asked(tmp_path, 50, 1)
    file = tmp_path / f"{EXTRACTOR}.npy"
    file.write_bytes(damage)
    with pytest.raises(CorruptError):
        read_vectors(file)
    await asked(tmp_path, 50, 2)
    assert read_vectors(file).tobytes() == direction(2).tobytes()
    assert read_vectors(file).shape[1] == DIMENSION


async def test_second_load_that_ends_late_loses_nothing_noted_meanwhile(tmp_path: Path) -> None:
    queries = RecordedQueries(tmp_path, 10)
    await asyncio.gather(queries.load(), queries.load())
    queries.note(EXTRACTOR, np.ones(DIMENSION, "<f4").tobytes(), 1)
    await queries.load()
    await queries.write()
    assert len(read_vectors(tmp_path / f"{EXTRACTOR}.npy")) == 1


async def test_photos_are_kept_as_features_and_read_of_all_blenders(tmp_path: Path) -> None:
    base = base_rows(6, seed=1)
    for port, rows in (("8080", base[:4]), ("8081", base[4:])):
        photos = RecordedQueries(tmp_path / port, 10)
        await photos.load()
        photos.offer(FEATURES, np.stack([np.frombuffer(each, np.uint8) for each in feature_bytes(rows, FEATURES)]))
        await photos.write()
    again = RecordedQueries(tmp_path / "8080", 10)
    await again.load()
    again.offer(FEATURES, np.frombuffer(feature_bytes(base[:1], FEATURES)[0], np.uint8)[None])
    await again.write()
    found = read_features(tmp_path, FEATURES)
    assert found.shape == (7, 3284)
    np.testing.assert_allclose(found[:4], base[:4], atol=1e-3)
    assert not len(read_features(tmp_path / "nowhere", FEATURES))
    np.save(tmp_path / "8081" / f"{FEATURES}.npy", np.zeros((2, 7), np.uint8))
    with pytest.raises(CorruptError, match="no recorded features"):
        read_features(tmp_path, FEATURES)


async def test_vectors_of_the_latest_tunings_alone_are_kept(tmp_path: Path) -> None:
    recorded = RecordedQueries(tmp_path, 10)
    await recorded.load()
    ids = [tuned_id(FEATURES, f"{number:08x}", DIMENSION) for number in range(MOST_TUNINGS + 2)]
    for each in (EXTRACTOR, *ids):
        recorded.note(each, direction(1).tobytes(), 1)
        await recorded.write()
    assert {file.stem for file in tmp_path.glob("*.npy")} == {EXTRACTOR, *ids[2:]}
    assert {file.stem for file in tmp_path.glob("*.json")} == {EXTRACTOR, *ids[2:]}
