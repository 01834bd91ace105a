"""Benchmark `words`: keyword search in one shard and one thread, beside tantivy alone in the same run.

100,000 products with titles of eight words of a Zipf vocabulary. The shard's
answer is complete: living products, looked up, with attributes; tantivy's is
document numbers. Measured: queries of one to five words, a word still being
typed, a phrase and a typo; changes of titles; how long until a changed title
is found (a shard: when `apply` returns; tantivy: after its next commit, which
a writer makes every 50 ms). How long it takes from an event on is part of
`freshness`. Suggestions, of products that have brands and categories as well,
take their time in the shard here, and over HTTP in `queries --kinds suggest`.

tantivy is no dependency: `.venv/bin/uv pip install tantivy==0.27.0` lets it take part.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import rounded, write_result
from benchmarks.index.shard import EXTRACTOR
from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from schemas.deltas.delta import DeltaBatch
from schemas.ids import image_id
from schemas.query.indexed import Indexed

LIMIT = 10
SUGGESTIONS = 8
_VOCABULARY = 20_000
_WORDS = 8
_COMMIT_S = 0.05
_LETTERS = ["aeiou", "bcdfghjklmnprstvwz"]


class Titles:
    """Titles of made-up words, whose frequencies fall as Zipf's law says."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._words = self._made_up()
        weights = 1 / np.arange(1, _VOCABULARY + 1)
        self._cumulated = np.cumsum(weights / weights.sum())

    def _made_up(self) -> list[str]:
        vowels, consonants = _LETTERS
        words: dict[str, None] = {}
        while len(words) < _VOCABULARY:
            syllables = self._random.integers(2, 5)
            word = "".join(
                consonants[self._random.integers(len(consonants))] + vowels[self._random.integers(len(vowels))]
                for _ in range(syllables)
            )
            words.setdefault(word)
        return list(words)

    def title(self) -> str:
        drawn = np.searchsorted(self._cumulated, self._random.random(_WORDS))
        return " ".join(self._words[number] for number in drawn)

    def asked(self, title: str, count: int) -> str:
        """That many different words of a title, in any order, ended: the last one is no beginning of another."""
        words = list(dict.fromkeys(title.split()))
        chosen = self._random.permutation(len(words))[:count]
        return " ".join(words[number] for number in chosen) + " "


class Stock:
    """A shard of products without vectors, and their titles. Changes are deltas, as the feed applies them."""

    def __init__(self, titles: list[str], *, with_names: bool = False) -> None:
        """`with_names`: 300 brands and 50 categories."""
        self.titles = titles
        self._with_names = with_names
        self.shard = Shard(EXTRACTOR, 8)
        self.shard.open_attributes(Indexed())
        self._sequence = 0
        for start in range(0, len(titles), 1000):
            self.shard.apply(self.batch(range(start, min(start + 1000, len(titles)))))

    def batch(self, numbers: Sequence[int], price: float = 1.0) -> DeltaBatch:
        batch = DeltaBatch(EXTRACTOR)
        for number in numbers:
            self._sequence += 1
            product, url = f"product-{number}", f"https://shop.example/{number}.jpg"
            attributes = {"title": self.titles[number]}
            if self._with_names:
                attributes |= {
                    "brand": f"{self.titles[number % 300].split()[0]} & Co",
                    "category": f"kind/{number % 50}",
                }
            batch.add(
                image_id(product, url),
                product,
                state_seq=self._sequence,
                valid=True,
                image_seq=1,
                url=url,
                price=price,
                attributes=msgspec.json.encode(attributes),
            )
        return batch

    def ask(self, text: str, any_word: bool = False) -> int:
        question = ShardQuestion(np.empty((0, 8), np.float32), 0, words=text, any_word=any_word, list_limit=LIMIT)
        return self.shard.answer(question).matches

    def suggest(self, text: str) -> int:
        """As a searcher does for `GET /v1/suggest`."""
        return len(self.shard.suggest(text, SUGGESTIONS)) + len(self.shard.names(text, SUGGESTIONS))


class Tantivy:
    """The same titles in tantivy, in memory, one writer thread."""

    def __init__(self, titles: list[str]) -> None:
        import tantivy

        self._tantivy = tantivy
        schema = tantivy.SchemaBuilder()
        schema.add_text_field("id", stored=True, tokenizer_name="raw")
        schema.add_text_field("title")
        self._index = tantivy.Index(schema.build())
        self._writer = self._index.writer(heap_size=128_000_000, num_threads=1)
        for number, title in enumerate(titles):
            self.add(number, title)
        self.commit()

    def add(self, number: int, title: str) -> None:
        self._writer.add_document(self._tantivy.Document(id=f"p{number}", title=title))

    def change(self, number: int, title: str) -> None:
        self._writer.delete_documents("id", f"p{number}")
        self.add(number, title)

    def commit(self) -> None:
        self._writer.commit()
        self._index.reload()

    def ask(self, text: str) -> int:
        query = self._index.parse_query(text, ["title"], conjunction_by_default=True)
        return len(self._index.searcher().search(query, LIMIT).hits)


def timed(ask: Callable[[str], object], queries: Sequence[str]) -> dict[str, float]:
    """Milliseconds of this thread's processor time a query, and queries per second of it."""
    took = []
    for query in queries:
        began = time.thread_time()
        ask(query)
        took.append(time.thread_time() - began)
    each = np.array(took)
    return {
        "queries_per_s": float(1 / each.mean()),
        "p50_ms": float(np.percentile(each, 50) * 1000),
        "p99_ms": float(np.percentile(each, 99) * 1000),
    }


def kinds_of_queries(titles: Titles, stock: Stock, count: int, seed: int) -> Iterator[tuple[str, list[str]]]:
    """Name and queries of each kind."""
    random = np.random.default_rng(seed)
    chosen = [stock.titles[number] for number in random.integers(0, len(stock.titles), count)]
    for words in range(1, 6):
        yield f"{words}_words", [titles.asked(title, words) for title in chosen]
    yield "word_being_typed", [titles.asked(title, 2).strip()[:-2] for title in chosen]
    yield "phrase", ['"' + " ".join(title.split()[2:4]) + '"' for title in chosen]
    yield "typo", [_with_typo(titles.asked(title, 1).strip(), random) + " " for title in chosen]


def _with_typo(word: str, random: np.random.Generator) -> str:
    place = int(random.integers(1, len(word) - 1))
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def suggestions(stock: Stock, count: int, seed: int) -> dict[str, dict[str, float]]:
    """How long it takes to go on from so many letters of a title, from the first letter on."""
    random = np.random.default_rng(seed)
    chosen = [stock.titles[number] for number in random.integers(0, len(stock.titles), count)]
    typed = {f"{letters}_letters": [title[:letters] for title in chosen] for letters in (1, 3, 6)}
    typed["second_word"] = [" ".join(title.split()[:2])[:-1] for title in chosen]
    return {name: timed(stock.suggest, texts) for name, texts in typed.items()}


def changes(titles: Titles, stock: Stock, count: int) -> dict[str, float]:
    """Deltas per second: other titles, other prices; and whether a new title is found when `apply` returns."""
    numbers = list(range(0, len(stock.titles), max(1, len(stock.titles) // count)))[:count]
    for number in numbers:
        stock.titles[number] = titles.title()
    batches = [stock.batch(numbers[start : start + 100]) for start in range(0, count, 100)]
    began = time.perf_counter()
    for batch in batches:
        stock.shard.apply(batch)
    title_rate = count / (time.perf_counter() - began)
    found = sum(stock.ask(f'"{stock.titles[number]}"') > 0 for number in numbers[:100])
    batches = [stock.batch(numbers[start : start + 100], price=2.0) for start in range(0, count, 100)]
    began = time.perf_counter()
    for batch in batches:
        stock.shard.apply(batch)
    price_rate = count / (time.perf_counter() - began)
    return {
        "titles_changed_per_s": title_rate,
        "prices_changed_per_s": price_rate,
        "found_at_once_share": found / len(numbers[:100]),
    }


def tantivy_changes(theirs: Tantivy, titles: Titles, count: int) -> dict[str, float]:
    """Changes per second with a commit every 50 ms, and the time from a change to the end of its commit."""
    waits: list[float] = []
    pending: list[float] = []
    began = committed = time.perf_counter()
    for number in range(count):
        theirs.change(number, titles.title())
        pending.append(time.perf_counter())
        if pending[-1] - committed > _COMMIT_S:
            theirs.commit()
            committed = time.perf_counter()
            waits += [committed - at for at in pending]
            pending = []
    theirs.commit()
    each: NDArray[np.float64] = np.array(waits or [time.perf_counter() - began])
    return {
        "titles_changed_per_s": count / (time.perf_counter() - began),
        "found_after_p50_ms": float(np.percentile(each, 50) * 1000),
        "found_after_p99_ms": float(np.percentile(each, 99) * 1000),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asking.words", description=__doc__)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=2000, help="of each kind")
    parser.add_argument("--changes", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="words", help="name of the result file")
    arguments = parser.parse_args(argv)
    titles = Titles(arguments.seed)
    stock = Stock([titles.title() for _ in range(arguments.products)])
    theirs = Tantivy(stock.titles) if importlib.util.find_spec("tantivy") else None
    figures: dict[str, Any] = {"queries": {}}
    for name, queries in kinds_of_queries(titles, stock, arguments.queries, arguments.seed):
        found: dict[str, Any] = {"shard": timed(stock.ask, queries)}
        if theirs is not None and name.endswith("_words"):
            found["tantivy"] = timed(theirs.ask, queries)
        figures["queries"][name] = found
    named = Stock(stock.titles, with_names=True)
    figures["suggestions"] = suggestions(named, min(500, arguments.queries), arguments.seed)
    del named
    began = time.perf_counter()
    stock.shard.open_attributes(Indexed())
    figures["restored_s"] = time.perf_counter() - began
    figures["changes"] = {"shard": changes(titles, stock, arguments.changes)}
    if theirs is not None:
        figures["changes"]["tantivy"] = tantivy_changes(theirs, titles, arguments.changes)
    write_result(arguments.name, vars(arguments), rounded(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
