"""The word index, behaviour by behaviour."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Iterator

import numpy as np
import pytest

from indexing.words.documents import Column
from indexing.words.index import Texts, WordIndex
from indexing.words.query import parse_words
from indexing.words.sorted_words import SortedWords
from indexing.words.typos import MOST_NEIGHBOURS, neighbours
from indexing.words.vocabulary import MAX_FREQUENCY
from schemas.errors import OperatorError


def products(index: WordIndex, text: str, all_words: bool = True) -> list[int]:
    return index.search(parse_words(text, index.language), None, all_words).products.tolist()


def title(text: str) -> Texts:
    return [(2, text)]


def reachable_texts(root: object) -> Iterator[str | bytes]:
    """Every string and bytes that can be reached from an object, arrays as bytes."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        if isinstance(item, str | bytes):
            yield item
        elif isinstance(item, array | np.ndarray):
            yield item.tobytes()
        else:
            waiting += gc.get_referents(item)


@pytest.mark.parametrize("language", ["", "english"])
@pytest.mark.parametrize("way", ["dropped", "changed", "dropped and compacted"])
def test_nothing_of_a_word_is_left_once_its_last_product_is_gone(language: str, way: str) -> None:
    index = WordIndex.bulk([(0, title("common secretwordings"))], language)
    index.put(1, title("common otherwise"))
    index.put(0, title("common secretwordings twice"))
    products(index, "secretwording"), products(index, "secretwrodings")
    assert any("secretword" in text for text in reachable_texts(index) if isinstance(text, str))
    if way == "changed":
        index.put(0, title("common"))
    else:
        index.drop(0)
    if "compacted" in way:
        index.compact(force=True)
    held = list(reachable_texts(index))
    assert not [text for text in held if "secretword" in (text if isinstance(text, str) else text.decode("latin-1"))]
    assert any("otherwise" in text for text in held if isinstance(text, str)), "the search sees words that are left"


def test_a_text_put_again_changes_nothing() -> None:
    index = WordIndex()
    assert index.put(7, title("red shoe"))
    before = index.allocated
    assert not index.put(7, title("red shoe"))
    assert index.allocated == before
    assert index.put(7, [(1, "red shoe")]), "another weight is another text"
    index.drop(7)
    assert index.put(7, [(1, "red shoe")]), "after it was dropped"


def test_a_change_is_found_once_put_returns() -> None:
    index = WordIndex()
    index.put(3, title("red shoe"))
    assert products(index, "red") == [3]
    index.put(3, title("blue shoe"))
    assert products(index, "red ") == []
    assert products(index, "blue shoe") == [3]
    index.drop(3)
    assert products(index, "blue") == [] and len(index) == index.words == 0


def test_the_word_itself_is_worth_more_than_what_it_begins() -> None:
    index = WordIndex.bulk([(0, title("shoelace")), (1, title("shoe")), (2, title("boot")), (3, title("boots"))])
    assert products(index, "shoe") == [1, 0]
    assert products(index, "shoe ") == [1]


def test_a_word_matches_by_its_stem_behind_the_word_as_written() -> None:
    index = WordIndex.bulk([(0, title("runs")), (1, title("running")), (2, title("walks"))], "english")
    assert products(index, "running ") == [1, 0]
    found = index.search(parse_words("running ", "english"))
    assert found.readings[0].by_stem == ("runs",)


def test_a_title_counts_more_than_a_description() -> None:
    index = WordIndex.bulk([(0, [(2, "lamp"), (1, "shoe")]), (1, [(2, "shoe"), (1, "lamp")])])
    assert products(index, "shoe ") == [1, 0]


@pytest.mark.parametrize("typed", ["snaekers", "sneakrs", "sneeakers", "smeakers", "xsneakers"])
def test_one_slip_is_forgiven_and_told(typed: str) -> None:
    index = WordIndex.bulk([(4, title("sneakers")), (5, title("smx"))])
    found = index.search(parse_words(typed + " ", ""))
    assert found.products.tolist() == [4]
    assert found.readings[0].corrections == ("sneakers",)


def test_no_slip_is_forgiven_in_short_words_numbers_phrases_and_known_words() -> None:
    index = WordIndex.bulk([(0, title("boot 12345 leather")), (1, title("lather"))])
    assert products(index, "bott ") == []
    assert products(index, "12346 ") == []
    assert products(index, '"leathr"') == []
    assert products(index, "lather ") == [1]
    index.drop(1)
    assert products(index, "lather ") == [0], "no living document has it any more"


def test_a_phrase_reaches_over_no_field_and_no_product() -> None:
    index = WordIndex.bulk([(0, [(2, "red shoe"), (1, "lace up")]), (1, title("up red"))])
    assert products(index, '"red shoe"') == [0]
    assert products(index, '"shoe lace"') == []
    assert products(index, '"up up"') == []
    assert products(index, '"lace up" red ') == [0]
    assert products(index, '"lace up" absent ', all_words=False) == [0]


def test_a_mask_says_who_may_match_and_changes_no_score() -> None:
    index = WordIndex.bulk([(product, title("shoe " * (product + 1))) for product in range(6)])
    query = parse_words("shoe", "")
    whole = index.search(query)
    some = index.search(query, np.array([True, False, True, True]))
    assert sorted(some.products.tolist()) == [0, 2, 3]
    assert some.matched.tolist() == [True, False, True, True]
    scores = dict(zip(whole.products.tolist(), whole.scores.tolist(), strict=True))
    assert [scores[product] for product in some.products.tolist()] == some.scores.tolist()
    assert index.search(query, np.ones(9, np.bool_)).matched.tolist() == [True] * 6 + [False] * 3


def test_who_may_match_besides_is_counted_and_not_put_in_order() -> None:
    index = WordIndex.bulk([(0, title("red shoe")), (1, title("shoe")), (2, title("hat")), (3, title("shoe shoe"))])
    shown, counted = np.array([True, False, True]), np.array([True, True, True, False, False])
    found = index.search(parse_words("shoe", ""), shown, counted=counted)
    assert found.products.tolist() == [0]
    assert found.matched.tolist() == [True, True, False, False, False]
    alone = index.search(parse_words("shoe", ""), shown)
    assert (found.products.tolist(), found.scores.tolist()) == (alone.products.tolist(), alone.scores.tolist())


def test_equal_scores_come_in_the_order_of_products_and_none_of_those_at_the_cut_is_left_out() -> None:
    texts = [(product, title("same words" if product else "same")) for product in reversed(range(50))]
    index = WordIndex.bulk([*texts, (50, title("same words and more of them"))])
    found = index.search(parse_words("same", ""), limit=7)
    assert found.products.tolist() == list(range(50)), "the shortest, and all that score as the seventh does"
    assert int(found.matched.sum()) == 51
    assert index.search(parse_words("same", ""), limit=1).products.tolist() == [0]


def test_suggestions_are_frequent_words_that_an_alive_product_has() -> None:
    index = WordIndex.bulk(
        [(0, title("shoe red")), (1, title("shoe shoelace")), (2, title("shoebox")), (3, title("shoe shoebox"))]
    )
    assert index.suggest("red SHO", 5, lambda product: True) == [("shoe", 3), ("shoebox", 2), ("shoelace", 1)]
    assert index.suggest("sho", 5, lambda product: product == 2) == [("shoebox", 2)]
    assert index.suggest("sho", 1, lambda product: True) == [("shoe", 3)]
    assert index.suggest("sho ", 5, lambda product: True) == index.suggest("", 5, lambda product: True) == []


def test_suggestions_are_words_not_stems() -> None:
    index = WordIndex.bulk([(0, title("happily happiness"))], "english")
    assert {found.word for found in index.suggest("hap", 5, lambda product: True)} == {"happily", "happiness"}


def test_it_is_compacted_when_more_is_dead_than_alive() -> None:
    index = WordIndex()
    for turn in range(2 * 2200):
        index.put(turn % 2200, title(f"turn {turn % 7} of{turn // 2200}"))
    assert not index.compact(), "half is alive"
    for turn in range(2200):
        index.put(turn, title(f"turn {turn % 7} last"))
    before, allocated = products(index, "turn last"), index.allocated
    assert index.compact()
    assert products(index, "turn last") == before == list(range(2200))
    assert index.allocated < allocated


def test_many_words_of_one_kind_count_up_to_a_bound() -> None:
    index = WordIndex()
    index.put(0, [(MAX_FREQUENCY + 500, "shoe shoe")])
    index.put(1, title("shoe"))
    assert sorted(products(index, "shoe")) == [0, 1]


@pytest.mark.parametrize("texts", [[(0, "shoe")], [(2, "shoe"), (-1, "red")]])
def test_a_field_that_counts_for_nothing_is_refused_and_changes_nothing(texts: Texts) -> None:
    index = WordIndex()
    with pytest.raises(ValueError, match="weight"):
        index.put(0, texts)
    assert index.words == len(index) == 0


def test_numbers_that_are_no_products_are_refused() -> None:
    with pytest.raises(ValueError, match="from 0"):
        WordIndex().put(-1, title("shoe"))
    with pytest.raises(ValueError, match="from 0"):
        WordIndex.bulk([(-1, title("shoe"))])
    with pytest.raises(ValueError, match="twice"):
        WordIndex.bulk([(1, title("shoe")), (1, title("boot"))])
    with pytest.raises(OperatorError, match="klingon"):
        WordIndex("klingon")


def test_a_reader_of_an_array_that_grows_keeps_what_it_has() -> None:
    column = Column(np.arange(3, dtype=np.int32), -1)
    held = column.values
    column.reserve(4)
    column.values[0] = 9
    assert held.tolist() == [0, 1, 2]
    assert column.values[:4].tolist() == [9, 1, 2, -1]


def test_sorted_words_stay_in_order_over_many_splits() -> None:
    words = [f"w{(number * 7919) % 5000:04}" for number in range(5000)]
    kept = SortedWords(words[:1000])
    for word in words[1000:]:
        kept.add(word)
    assert kept.beginning_with("") == sorted(words)
    assert kept.beginning_with("w123") == [f"w123{digit}" for digit in range(10)]
    for word in words[10:]:
        kept.remove(word)
    assert kept.beginning_with("w") == sorted(words[:10])
    for word in words[:10]:
        kept.remove(word)
    assert kept.beginning_with("w") == []
    kept.add("again")
    assert kept.beginning_with("ag") == ["again"]


def test_neighbours_are_bounded_and_never_the_word_itself() -> None:
    letters = [chr(ord("a") + number) for number in range(26)] + [chr(0x400 + number) for number in range(200)]
    for word in ("aaaaa", "abcdefghijklmnopqrst", "x" * 64):
        found = neighbours(word, letters)
        assert word not in found
        assert len(found) <= MOST_NEIGHBOURS
