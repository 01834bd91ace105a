"""Learning: a planted relation is found, and one that is not there is not believed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.meaning.fitting import Known
from indexing.meaning.lessons import Lessons, distinct, lessons
from indexing.meaning.map import encode_map, unit
from indexing.meaning.training import LEAST_GROUPS, Learned, train_map

TEXT, PICTURE = 16, 24


def planted(products: int, noise: float, seed: int = 1, views: int = 2) -> tuple[Lessons, NDArray[np.float32]]:
    """Products whose pictures are a linear image of their titles, with noise; and that image."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(TEXT, PICTURE)).astype(np.float32) / np.float32(np.sqrt(TEXT))
    texts = unit(random.normal(size=(products, TEXT)).astype(np.float32))
    groups = np.repeat(np.arange(products), views)
    pictures = 2.0 + texts[groups] @ matrix + noise * random.normal(size=(len(groups), PICTURE))
    return lessons(texts, pictures.astype(np.float32), groups[:, None].astype(np.int32), groups), matrix


def train(given: Lessons, seed: int = 7, known: Known | None = None, most_support: int = 500) -> Learned:
    return train_map(given, "text", "picture", seed, known, most_support)


def test_planted_relation_is_learned_and_used() -> None:
    given, matrix = planted(300, 0.02)
    learned = train(given)
    assert learned.used and learned.why == ""
    assert learned.held.recall > 0.8 > 0.3 > learned.by_chance.recall
    fresh = unit(np.random.default_rng(5).normal(size=(50, TEXT)).astype(np.float32))
    centred = unit((fresh @ matrix).astype(np.float32))
    assert float(np.median((learned.map.apply(fresh) * centred).sum(axis=1))) > 0.8


def test_titles_that_say_nothing_of_the_look_are_not_used() -> None:
    given, _ = planted(300, 0.02)
    nothing = np.random.default_rng(3).permutation(300)[given.said].astype(np.int32)
    learned = train(Lessons(given.texts, given.pictures, nothing, given.groups))
    assert not learned.used and "by chance" in learned.why


def test_same_title_everywhere_is_not_used() -> None:
    given, _ = planted(100, 0.02)
    learned = train(Lessons(given.texts, given.pictures, np.zeros_like(given.said), given.groups))
    assert not learned.used


def test_too_few_products_are_not_believed() -> None:
    given, _ = planted(LEAST_GROUPS - 1, 0.0)
    learned = train(given)
    assert not learned.used and str(LEAST_GROUPS) in learned.why


def test_same_lessons_and_seed_give_the_same_bytes() -> None:
    given, _ = planted(120, 0.1)
    one, other = (train(given, most_support=40) for _ in range(2))
    assert encode_map(one.map) == encode_map(other.map) and one.held == other.held
    assert len(one.map.support) == 40


def test_few_of_many_texts_span_nearly_as_good_a_map() -> None:
    given, _ = planted(600, 0.05)
    assert train(given, most_support=150).held.rank_share < 2 * train(given).held.rank_share + 0.01


def test_what_is_known_is_found_where_the_shop_says_nothing_of_it() -> None:
    given, _ = planted(100, 0.02)
    text = unit(np.ones((1, TEXT), np.float32))
    look = unit(np.ones((1, PICTURE), np.float32) * np.where(np.arange(PICTURE) % 2, 1, -1).astype(np.float32))
    known = train(given, known=Known(text, look)).map.apply(text)
    unknown = train(given).map.apply(text)
    assert float((known * look).sum()) > float((unknown * look).sum()) + 0.2


def test_nothing_to_learn_from_is_an_error() -> None:
    given, _ = planted(60, 0.1)
    with pytest.raises(ValueError, match="nothing to learn"):
        train(Lessons(given.texts, given.pictures, np.full_like(given.said, -1), given.groups))


def test_texts_are_encoded_once_each_and_empty_ones_never() -> None:
    texts, said = distinct([["a title", "red"], ["", "red"], ["other", "a title"], []])
    assert texts == ["a title", "red", "other"]
    assert said.tolist() == [[0, 1], [-1, 1], [2, 0], [-1, -1]]


def test_text_without_a_word_is_said_of_nothing() -> None:
    texts = np.array([[1, 0], [0, 0]], np.float32)
    given = lessons(texts, np.eye(2, dtype=np.float32), np.array([[0], [1]], np.int32), np.arange(2))
    assert given.said.tolist() == [[0], [-1]]
    with pytest.raises(ValueError, match="groups"):
        lessons(texts, np.eye(2, dtype=np.float32), np.array([[0], [2]], np.int32), np.arange(2))


def test_mean_picture_of_each_text() -> None:
    pictures = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    said = np.array([[0, 2], [0, -1], [3, 2]], np.int32)
    given = Lessons(np.eye(4, dtype=np.float32), pictures, said, np.arange(3))
    known, means, counts = given.means()
    assert known.tolist() == [0, 2, 3] and counts.tolist() == [2, 2, 1]
    np.testing.assert_allclose(means, [[0.5, 0.5], [0, 0], [-1, 0]])
