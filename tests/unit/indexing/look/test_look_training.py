"""Learning a tuning: what views teach, and what is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from indexing.look.prior import Prior, decode_prior, encode_prior
from indexing.look.scatter import Scatter, discriminants, mixed, principals, scatters
from indexing.look.stored import encode_tuning
from indexing.look.training import prior_alone, train_tuning, with_query_log
from indexing.look.tuning import Tuning
from schemas.errors import CorruptError
from tests.support.pictures.looks import BLOCKS, SIGNAL, found_first, views_of


def learned(things: int = 200, prior: Prior | None = None) -> Tuning:
    return train_tuning(*views_of(things, 5, seed=1), "e-1", BLOCKS, prior)


def prior(*, signal_first: bool = True) -> Prior:
    return Prior("e-1", BLOCKS, tuple(scatters(*views_of(300, 5, 7, signal_first), BLOCKS)))


def fresh() -> tuple[np.ndarray, np.ndarray]:
    """(queries, items) of things that nothing was learned from."""
    rows, _ = views_of(150, 2, seed=2)
    return rows[1::2], rows[::2]


def test_tuned_vectors_find_things_that_were_not_learned_from() -> None:
    queries, items = fresh()
    tuning = learned()
    assert found_first(queries, items) < 0.5
    assert found_first(tuning.queries(queries), tuning.items(items)) > 0.8


def test_same_views_give_the_same_bytes() -> None:
    assert encode_tuning(learned()) == encode_tuning(learned())


def test_few_pictures_are_helped_by_what_is_known_and_many_are_not_misled_by_it() -> None:
    queries, items = fresh()

    def right(tuning: Tuning) -> float:
        return found_first(tuning.queries(queries), tuning.items(items))

    few = 3
    assert right(learned(few, prior())) > right(learned(few)) + 0.1
    assert right(learned(3000, prior(signal_first=False))) > right(prior_alone(prior(signal_first=False))) + 0.3


def test_before_anything_is_learned_the_prior_serves() -> None:
    queries, items = fresh()
    tuning = prior_alone(prior())
    assert tuning.extractor_id == "e-1"
    assert found_first(tuning.queries(queries), tuning.items(items)) > found_first(queries, items) + 0.1
    moved = with_query_log(tuning, queries + np.float32(0.1))
    assert not moved.parts[0].queries.any(), "of what is kept as it is, no mean is taken off"
    assert moved.parts[1].queries.any()


def test_kind_that_is_kept_as_it_is_keeps_the_angles_between_pictures() -> None:
    plain = prior_alone(prior()).parts[0]
    kind = fresh()[0][:, : plain.block.length]
    kept = kind @ plain.directions
    assert plain.directions.shape[1] == plain.block.length, "of so few numbers all are kept"
    np.testing.assert_allclose(kept @ kept.T, kind @ kind.T, atol=1e-3)


def test_principals_are_the_directions_that_pictures_vary_most_in() -> None:
    found = scatters(*views_of(300, 5, seed=1), BLOCKS)[0]
    directions = principals(found, 3)
    variances = np.diag(directions.T @ (found.within + found.between) @ directions)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-8)
    np.testing.assert_allclose(variances, np.linalg.eigvalsh(found.within + found.between)[::-1][:3])


def test_mean_of_queries_is_learned_from_them_and_slowly() -> None:
    queries, items = fresh()
    random = np.random.default_rng(3)
    other_light = random.normal(0.0, 0.08, queries.shape[1]).astype(np.float32)
    tuning = learned()
    photos, log = queries + other_light, views_of(400, 1, seed=4)[0] + other_light
    before = found_first(tuning.queries(photos), tuning.items(items))
    after = found_first(with_query_log(tuning, log).queries(photos), tuning.items(items))
    assert after > before + 0.05
    assert with_query_log(tuning, log[:0]) is tuning
    moved = [
        float(np.linalg.norm(with_query_log(tuning, log[:count]).parts[0].queries - tuning.parts[0].items))
        for count in (1, 20, 400)
    ]
    assert moved[0] < moved[1] < moved[2]


def test_discriminants_are_the_directions_that_tell_apart_and_spread_views_alike() -> None:
    found = scatters(*views_of(400, 5, seed=1), BLOCKS)[0]
    directions = discriminants(found, SIGNAL)
    energy = (directions**2).sum(axis=1)
    assert energy[:SIGNAL].sum() > 0.8 * energy.sum()
    ridge = 0.3 * np.trace(found.within) / len(found.mean) * np.eye(len(found.mean))
    np.testing.assert_allclose(directions.T @ (found.within + ridge) @ directions, np.eye(SIGNAL), atol=1e-8)


def test_scatter_is_that_of_views_around_their_thing_and_of_things() -> None:
    rows = np.array([[1, 0], [3, 0], [0, 5], [0, 7], [8, 8]], np.float32)
    shuffled = np.array([4, 0, 2, 1, 3])
    things = np.array([0, 0, 1, 1, 2], np.int64)
    for order in (np.arange(5), shuffled):
        found = scatters(rows[order], things[order], BLOCKS_OF_TWO)[0]
        assert found.pictures == 3
        np.testing.assert_allclose(found.within, [[1, 0], [0, 1]])  # 2 + 2 over 5 - 3, in each
        np.testing.assert_allclose(found.between, np.cov(np.array([[2, 0], [0, 6], [8, 8]]).T))


BLOCKS_OF_TWO = (type(BLOCKS[0])("head", 2),)


@pytest.mark.parametrize("things", [[0, 0, 0], [0, 1, 2]])
def test_without_views_of_two_things_nothing_is_learned(things: list[int]) -> None:
    with pytest.raises(ValueError, match="two things"):
        scatters(np.eye(3, 2, dtype=np.float32), np.array(things, np.int64), BLOCKS_OF_TWO)


def test_prior_counts_as_a_hundred_pictures() -> None:
    def scatter(pictures: int, value: float) -> Scatter:
        return Scatter(pictures, np.full(1, value), np.full((1, 1), value), np.full((1, 1), value))

    found = mixed(scatter(100, 0.0), scatter(9999, 1.0))
    assert (found.within[0, 0], found.between[0, 0]) == (0.5, 0.5)
    assert mixed(scatter(100, 0.0), None).within[0, 0] == 0.0


def test_prior_of_another_extractor_is_refused() -> None:
    with pytest.raises(ValueError, match="leave the prior out"):
        train_tuning(*views_of(10, 3, seed=1), "e-2", BLOCKS, prior())


def test_prior_in_few_bytes_is_nearly_the_same() -> None:
    whole = prior()
    data = encode_prior(whole.extractor_id, whole.blocks, whole.scatters, rank=8)
    found = decode_prior(data)
    assert (found.extractor_id, found.blocks) == (whole.extractor_id, whole.blocks)
    for one, other in zip(found.scatters, whole.scatters, strict=True):
        assert one.pictures == other.pictures
        np.testing.assert_allclose(np.diag(one.within), np.diag(other.within), rtol=0.02, atol=1e-5)
        assert np.linalg.norm(one.between - other.between) < 0.3 * np.linalg.norm(other.between)
    queries, items = fresh()
    right = [found_first(tuning.queries(queries), tuning.items(items)) for tuning in map(prior_alone, (found, whole))]
    assert right[0] > right[1] - 0.1 > found_first(queries, items)


@pytest.mark.parametrize("position", [0, 30, -1])
def test_altered_prior_is_noticed(position: int) -> None:
    whole = prior()
    data = bytearray(encode_prior(whole.extractor_id, whole.blocks, whole.scatters, rank=4))
    data[position] ^= 1
    with pytest.raises(CorruptError, match="install"):
        decode_prior(bytes(data))
