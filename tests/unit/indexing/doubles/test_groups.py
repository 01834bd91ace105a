"""Pairs of nearly equal vectors are all found, and groups are what they connect."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.doubles import pairs
from indexing.doubles.groups import groups
from indexing.doubles.pairs import near_pairs

Rows = NDArray[np.float32]


def unit(rows: NDArray[np.float64]) -> Rows:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def with_copies(count: int, dimension: int, step: float, seed: int = 1) -> Rows:
    """Random rows, the second half of which are copies of the first that went astray by about `step`."""
    random = np.random.default_rng(seed)
    first = random.standard_normal((count // 2, dimension)) * np.linspace(3, 0.1, dimension)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    astray = random.standard_normal(first.shape) / np.sqrt(dimension) * random.uniform(0, 2 * step, (len(first), 1))
    return unit(np.concatenate([first, first + astray]))


@pytest.mark.parametrize("dimension", [8, 128, 129, 400])
def test_pairs_are_those_of_all_inner_products(monkeypatch: pytest.MonkeyPatch, dimension: int) -> None:
    monkeypatch.setattr(pairs, "_ROWS", 37)
    monkeypatch.setattr(pairs, "_COLUMNS", 50)
    monkeypatch.setattr(pairs, "_COMPARED", 11)
    vectors = with_copies(240, dimension, 0.25)
    found = {
        (left, right): likeness
        for block in near_pairs(vectors, 0.95)
        for left, right, likeness in zip(*(column.tolist() for column in block), strict=True)
    }
    whole = np.triu(np.einsum("id,jd->ij", vectors, vectors), 1)
    clear = np.abs(whole - 0.95) > 1e-5
    assert {pair for pair in found if clear[pair]} == set(zip(*np.nonzero((whole >= 0.95) & clear), strict=True))
    assert len(found) > 20
    assert all(likeness == pytest.approx(whole[pair], abs=1e-5) for pair, likeness in found.items())


def test_groups_are_what_pairs_connect_the_largest_first() -> None:
    angles = np.radians([0, 3, 6, 90, 91, 180])
    vectors = unit(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    first, second = groups(vectors, float(np.cos(np.radians(4))))
    assert first.rows.tolist() == [0, 1, 2], "0 and 2 are further apart than that, and connected by 1"
    assert first.likeness == pytest.approx(np.cos(np.radians([3, 0, 3])), abs=1e-6)
    assert second.rows.tolist() == [3, 4]


def test_rows_of_other_colours_are_apart_and_those_of_none_join_whom_they_are_like() -> None:
    rows = with_copies(4, 200, 0.0)[[0, 0, 0, 1, 1, 1]]
    found = groups(rows, 0.99, ["red", "blue", "red", "red", "", "red"])
    assert [group.rows.tolist() for group in found] == [[3, 4, 5], [0, 2]]


def test_one_picture_that_thousands_show_is_one_group_at_once() -> None:
    vectors = with_copies(20, 200, 0.0)[np.arange(20_000) % 10]
    found = groups(vectors, 0.99)
    assert [len(group.rows) for group in found] == [2_000] * 10
    assert min(float(group.likeness.min()) for group in found) == pytest.approx(1)


@pytest.mark.parametrize("count", [0, 1])
def test_where_nothing_is_like_anything_there_are_no_groups(count: int) -> None:
    assert groups(np.eye(300, dtype=np.float32)[:count], 0.9) == []
    assert groups(np.eye(300, dtype=np.float32), 0.9) == []
