"""The category head: learned, measured on products that it has not seen, and its bytes."""

from __future__ import annotations

import numpy as np
import pytest

from indexing.category.head import TERM, CategoryHead, clues, decode_head, encode_head
from indexing.category.training import Learned, calibration_error, train_head
from schemas.errors import CorruptError
from tests.support.pictures.looks import BLOCKS, views_of

KINDS = ("bag", "boot", "hat")


def shop(noise: float, products: int = 90) -> tuple[np.ndarray, list[str], np.ndarray]:
    """(base features of two pictures of each product, their categories, their products)."""
    rows, numbers = views_of(products, 2, seed=1)
    kind = numbers % len(KINDS)
    random = np.random.default_rng(2)
    told = np.where(random.random(len(rows)) < noise, random.integers(0, len(KINDS), len(rows)), kind)
    rows[np.arange(len(rows)), 24 + told] += 0.4
    return rows, [KINDS[each] for each in kind], numbers


def learned(noise: float = 0.0) -> Learned:
    return train_head(*shop(noise), "e-1", BLOCKS, seed=1)


def test_category_of_new_products_is_told() -> None:
    found = learned()
    assert found.used and found.why == "" and found.held["accuracy"] > 0.9
    assert found.by_chance["accuracy"] == pytest.approx(1 / 3)
    told = found.head.probabilities(shop(0.0)[0])
    np.testing.assert_allclose(told.sum(axis=1), 1.0, atol=1e-5)
    assert found.head.names == KINDS


def test_head_that_cannot_tell_is_not_used_and_says_why() -> None:
    found = learned(noise=1.0)
    assert not found.used and "0.6 is needed" in found.why
    assert found.held["accuracy"] < 0.6


def test_term_is_what_a_sure_category_adds_by_its_accuracy() -> None:
    head = learned().head
    shares = head.shares(shop(0.0)[0])
    np.testing.assert_allclose(shares.sum(axis=1), np.sqrt(TERM * head.accuracy), atol=1e-5)


def test_small_categories_and_pictures_without_one_are_left_out() -> None:
    rows, categories, products = shop(0.0)
    categories[0] = ""
    categories[2:20] = ["scarf"] * 18  # of nine products
    assert train_head(rows, categories, products, "e-1", BLOCKS, 1).head.names == KINDS
    with pytest.raises(ValueError, match="two are needed"):
        train_head(rows, ["bag"] * len(rows), products, "e-1", BLOCKS, 1)


def test_same_pictures_give_the_same_bytes_and_bytes_the_same_head() -> None:
    head = learned().head
    data = encode_head(head)
    assert encode_head(learned().head) == data
    found = decode_head(data)
    assert isinstance(found, CategoryHead) and found.names == head.names and found.accuracy == head.accuracy
    np.testing.assert_array_equal(found.probabilities(shop(0.0)[0]), head.probabilities(shop(0.0)[0]))


@pytest.mark.parametrize("position", [0, 30, -1])
def test_altered_byte_is_noticed(position: int) -> None:
    data = bytearray(encode_head(learned().head))
    data[position] ^= 1
    with pytest.raises(CorruptError, match="vitrine build"):
        decode_head(bytes(data))


def test_rows_of_another_extractor_are_refused() -> None:
    with pytest.raises(ValueError, match="base features have"):
        clues(np.zeros((1, 5), np.float32), BLOCKS)


def test_calibration_error_is_how_far_promises_are_from_what_is_kept() -> None:
    promised = np.array([0.95] * 10 + [0.55] * 10, np.float32)
    kept = np.array([True] * 10 + [True] * 3 + [False] * 7)
    assert calibration_error(promised, kept) == pytest.approx((0.5 + 2.5) / 20, abs=1e-4)
