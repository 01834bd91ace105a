"""The word index against brute force over a dict of texts, through any history of puts, drops and compactions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexing.words.building import Texts, fields_of
from indexing.words.index import Matches, WordIndex
from indexing.words.query import QueryWord, parse_words
from indexing.words.resolving import COMPLETION_FACTOR, CORRECTION_FACTOR, STEM_FACTOR
from indexing.words.stems import stemmer

WORDS = (
    *("shoe", "shoes", "shoelace", "shoelaces", "sneaker", "sneakers", "sneakier", "run", "running", "runner"),
    *("red", "Rédish", "blue", "boot", "boots", "leather", "laether", "27", "27x", "革靴", "東京都", "a", "ab", "abc"),
)
TYPED = (*WORDS, "snaekers", "sneakrs", "sneakerss", "leathar", "sho", "snea", "r", "leathre", "12345", "bluue", "東京")
PRODUCTS = 12

texts = st.lists(
    st.tuples(st.sampled_from([1, 2, 40]), st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)), max_size=3
)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, PRODUCTS - 1), texts),
        st.tuples(st.just("drop"), st.integers(0, PRODUCTS - 1), st.just([])),
        st.tuples(st.just("compact"), st.just(0), st.just([])),
    ),
    max_size=40,
)
phrases = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(lambda words: f'"{" ".join(words)}"')
queries = st.lists(st.one_of(st.sampled_from(TYPED), st.sampled_from(TYPED), phrases), min_size=1, max_size=4).flatmap(
    lambda parts: st.sampled_from([" ".join(parts), " ".join(parts) + " "])
)
languages = st.sampled_from(["", "english"])


class Model:
    """Texts by product, and everything else worked out anew for each question."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.texts: dict[int, Texts] = {}

    def count(self) -> None:
        self.frequencies: dict[int, Counter[str]] = {}
        for product, text in self.texts.items():
            counted: Counter[str] = Counter()
            for weight, words in fields_of(text):
                for word in words:
                    counted[word] += weight
            self.frequencies[product] = Counter({word: min(63, count) for word, count in counted.items()})
        self.lengths = {
            product: sum(weight * len(words) for weight, words in fields_of(text))
            for product, text in self.texts.items()
        }
        self.counts = Counter(word for counted in self.frequencies.values() for word in counted)

    def alternatives(self, asked: QueryWord) -> list[tuple[float, list[str]]]:
        counts = self.counts
        by_count: Callable[[str], tuple[int, str]] = lambda word: (-counts[word], word)  # noqa: E731
        itself = [asked.word] if asked.word in counts else []
        stem = stemmer(self.language)
        fellows = [word for word in counts if stem and word != asked.word and stem(word) == stem(asked.word)]
        completions = [
            word for word in counts if asked.is_prefix and word.startswith(asked.word) and word != asked.word
        ]
        corrections: list[str] = []
        if not itself and not fellows and not completions and len(asked.word) >= 5 and asked.word.isalpha():
            corrections = [word for word in counts if one_slip(asked.word, word)]
        found = [
            (STEM_FACTOR, itself + fellows if fellows else []),
            (1.0, itself),
            (COMPLETION_FACTOR, sorted(completions, key=by_count)[:64]),
            (CORRECTION_FACTOR, sorted(corrections, key=by_count)[:8]),
        ]
        return [alternative for alternative in found if alternative[1]]

    def worth(self, alternatives: list[tuple[float, list[str]]], product: int) -> float:
        if not alternatives:
            return 0.0
        having = sum(any(counted[word] for word in alternatives[0][1]) for counted in self.frequencies.values())
        idf = math.log(1 + (len(self.texts) - having + 0.5) / (having + 0.5))
        average = sum(self.lengths.values()) / len(self.texts) or 1
        norm = 1.2 * (0.25 + 0.75 * self.lengths[product] / average)
        best = 0.0
        for factor, words in alternatives:
            frequency = min(63, sum(self.frequencies[product][word] for word in words))
            best = max(best, factor * idf * 2.2 * frequency / (frequency + norm))
        return best

    def has_phrase(self, phrase: Sequence[str], product: int) -> bool:
        return any(
            tuple(words[at : at + len(phrase)]) == tuple(phrase)
            for _, words in fields_of(self.texts[product])
            for at in range(len(words))
        )

    def search(self, text: str, matching: NDArray[np.bool_] | None, all_words: bool) -> dict[int, float]:
        query = parse_words(text, self.language)
        in_phrases = dict.fromkeys(word for phrase in query.phrases for word in phrase)
        self.count()
        asked = [[(1.0, [word])] if word in self.counts else [] for word in in_phrases]
        asked += [self.alternatives(word) for word in query.words]
        found = {}
        for product in self.texts:
            worths = [self.worth(alternatives, product) for alternatives in asked]
            if matching is not None and not (product < len(matching) and matching[product]):
                continue
            if not all(self.has_phrase(phrase, product) for phrase in query.phrases):
                continue
            if all(worths) if all_words else any(worths):
                found[product] = sum(worths)
        return found


def one_slip(left: str, right: str) -> bool:
    """Damerau-Levenshtein distance 1, by its definition."""
    if len(left) == len(right):
        differ = [at for at in range(len(left)) if left[at] != right[at]]
        swapped = len(differ) == 2 and differ[1] == differ[0] + 1 and left[differ[0]] == right[differ[1]]
        return len(differ) == 1 or (swapped and left[differ[1]] == right[differ[0]])
    shorter, longer = sorted((left, right), key=len)
    return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))


def run(index: WordIndex, model: Model, history: Sequence[tuple[str, int, Texts]]) -> None:
    for what, product, text in history:
        if what == "put":
            changed = model.texts.get(product) != text
            assert index.put(product, text) == changed
            model.texts[product] = text
        elif what == "drop":
            assert index.drop(product) == (model.texts.pop(product, None) is not None)
        else:
            index.compact(force=True)


def assert_in_order(matches: Matches) -> None:
    pairs = list(zip((-matches.scores).tolist(), matches.products.tolist(), strict=True))
    assert pairs == sorted(pairs)


@settings(max_examples=300, deadline=None)
@given(changes, queries, languages, st.booleans(), st.none() | st.lists(st.booleans(), max_size=PRODUCTS + 3))
def test_searches_find_what_brute_force_finds_with_the_same_scores(
    history: list[tuple[str, int, Texts]], text: str, language: str, all_words: bool, allowed: list[bool] | None
) -> None:
    index, model = WordIndex(language), Model(language)
    run(index, model, history)
    matching = None if allowed is None else np.array(allowed, np.bool_)
    expected = model.search(text, matching, all_words)
    matches = index.search(parse_words(text, language), matching, all_words)
    found = dict(zip(matches.products.tolist(), matches.scores.tolist(), strict=True))
    assert found.keys() == expected.keys()
    for product, score in expected.items():
        assert math.isclose(found[product], score, rel_tol=1e-5), (product, text)
    assert_in_order(matches)
    assert np.flatnonzero(matches.matched).tolist() == sorted(expected)
    assert matching is None or len(matches.matched) == len(matching)


@settings(max_examples=150, deadline=None)
@given(changes, st.lists(queries, min_size=1, max_size=4), languages, st.booleans(), st.integers(0, 5))
def test_an_index_built_anew_gives_the_same_bits(
    history: list[tuple[str, int, Texts]], asked: list[str], language: str, all_words: bool, limit: int
) -> None:
    index, model = WordIndex(language), Model(language)
    run(index, model, history)
    rebuilt = WordIndex.bulk(sorted(model.texts.items()), language)
    assert (len(rebuilt), rebuilt.words) == (len(index), index.words)
    for text in asked:
        query = parse_words(text, language)
        left = index.search(query, None, all_words, limit)
        right = rebuilt.search(query, None, all_words, limit)
        assert left.products.tolist() == right.products.tolist()
        assert left.scores.tobytes() == right.scores.tobytes()
        assert left.readings == right.readings
        assert np.flatnonzero(left.matched).tolist() == np.flatnonzero(right.matched).tolist()


@settings(max_examples=100, deadline=None)
@given(changes, changes, queries, languages)
def test_an_index_built_in_one_go_goes_on_like_any_other(
    before: list[tuple[str, int, Texts]], after: list[tuple[str, int, Texts]], text: str, language: str
) -> None:
    model = Model(language)
    run(WordIndex(language), model, before)
    index = WordIndex.bulk(model.texts.items(), language)
    run(index, model, after)
    query = parse_words(text, language)
    found = index.search(query, None, False)
    assert sorted(found.products.tolist()) == sorted(model.search(text, None, False))


@settings(max_examples=100, deadline=None)
@given(changes, queries, st.integers(0, PRODUCTS))
def test_a_limit_orders_the_best_and_still_says_all_that_match(
    history: list[tuple[str, int, Texts]], text: str, limit: int
) -> None:
    index = WordIndex()
    run(index, Model(""), history)
    query = parse_words(text, "")
    whole, cut = index.search(query, None, False), index.search(query, None, False, limit)
    # With those that score as the last of them does: which of them comes first is not for their numbers to say.
    least = whole.scores[limit - 1] if 0 < limit <= len(whole.scores) else 0.0
    best = int((whole.scores >= least).sum()) if limit else 0
    assert cut.products.tolist() == whole.products[:best].tolist()
    assert cut.scores.tobytes() == whole.scores[:best].tobytes()
    assert cut.matched.tolist() == whole.matched.tolist()
