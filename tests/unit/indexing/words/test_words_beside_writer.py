"""Readers beside a writer that changes texts, removes words and compacts: every answer is of an old or a new text."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from indexing.words.index import Texts, WordIndex
from indexing.words.query import parse_words

PRODUCTS = 60
SECONDS = 1.0


@pytest.fixture(autouse=True)
def threads_that_switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def text_of(product: int, turn: int) -> Texts:
    """Two texts by turns: each with a word of its own, a word of its kind, and a phrase that both have."""
    kind = ("alpha", "beta")[turn % 2]
    return [(2, f"only{product:03}{kind[0]} {kind}"), (1, f"{kind} same words here")]


def test_a_product_is_found_by_its_old_text_or_its_new_one_never_both_never_neither() -> None:
    index = WordIndex.bulk([(product, text_of(product, 0)) for product in range(PRODUCTS)], "english")
    everyone = list(range(PRODUCTS))
    stop = threading.Event()
    failures: list[BaseException] = []
    rounds = [0, 0, 0]

    def found(text: str, all_words: bool) -> list[int]:
        matches = index.search(parse_words(text, "english"), None, all_words)
        return sorted(product for product in matches.products.tolist() if product < PRODUCTS)

    def by_kind() -> None:
        assert found("alpha beta ", False) == everyone
        assert found("alpha beta ", True) == []

    def by_phrase() -> None:
        assert found('"same words here"', True) == everyone
        assert found('"here same"', True) == []
        assert index.suggest("sam", 3, lambda product: product < PRODUCTS)[0].word == "same"

    def by_own_word() -> None:
        product = rounds[2] % PRODUCTS
        assert found(f"only{product:03}a only{product:03}b ", False) == [product]
        assert found(f"only{product:03}", True) == [product], "as a prefix"

    def read(place: int, check: Callable[[], None]) -> None:
        try:
            while not stop.is_set():
                check()
                rounds[place] += 1
        except BaseException as error:  # noqa: BLE001  handed to the test's thread
            failures.append(error)
            stop.set()

    readers = [
        threading.Thread(target=read, args=(place, check))
        for place, check in enumerate((by_kind, by_phrase, by_own_word))
    ]
    for reader in readers:
        reader.start()
    ends, turn, newest = time.monotonic() + SECONDS, 0, PRODUCTS
    while time.monotonic() < ends and not stop.is_set():
        turn += 1
        for product in everyone:
            index.put(product, text_of(product, turn))
        index.put(newest, [(1, f"alpha beta passing{turn}")])
        index.drop(newest - 1) if newest > PRODUCTS else None
        newest += 1
        if turn % 5 == 0:
            index.compact(force=True)
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures, failures[0]
    assert turn > 1 and min(rounds) > 1, "nothing ran beside anything"


def test_readers_begin_before_the_first_product_is_put() -> None:
    index = WordIndex()
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set():
                assert set(index.search(parse_words("first seco", ""), None, False).products.tolist()) <= {0, 5000}
                index.suggest("fir", 3, lambda product: True)
        except BaseException as error:  # noqa: BLE001  handed to the test's thread
            failures.append(error)

    for _ in range(20):
        stop.clear()
        index = WordIndex()
        reader = threading.Thread(target=read)
        reader.start()
        index.put(0, [(1, "first")])
        index.put(5000, [(1, "second")])
        stop.set()
        reader.join()
    assert not failures, failures[0]
