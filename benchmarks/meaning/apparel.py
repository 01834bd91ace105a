"""Words, meaning and photos on the studio catalogue.

A product is scored by maps that never saw it or another colour of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.meaning import ranked
from benchmarks.meaning.questions import VOICES, Question, other_words, questions
from benchmarks.meaning.ranked import Scores
from benchmarks.meaning.vectors import Pictures
from indexing.meaning.fitting import Known
from indexing.meaning.lessons import Lessons, distinct, lessons
from indexing.meaning.phrases import phrases
from indexing.meaning.training import Learned, train_map
from vision.text.encoder import TextEncoder

FOLDS = 5
SEED = 1
MEANING_WEIGHT = 0.5
"""Beside words and looks, which count 1."""


class Apparel:
    """The catalogue, and its maps: one for each fold, learned from the others, and one from all."""

    def __init__(self, folder: Path, encoder: TextEncoder, known: Known | None) -> None:
        self.products: list[dict[str, Any]] = _lines(folder / "products.jsonl")
        self.photos: list[dict[str, Any]] = _lines(folder / "queries.jsonl")
        self.pictures = Pictures(folder)
        self.encoder = encoder
        self.owners = np.array([row for row, product in enumerate(self.products) for _ in product["images"]])
        design = [product["product_id"].rpartition("-")[0] for product in self.products]
        _, designs = np.unique(design, return_inverse=True)
        self.folds = (np.random.default_rng(SEED).permutation(int(designs.max()) + 1) % FOLDS)[designs][self.owners]
        texts, said = distinct([phrases(self.products[owner]) for owner in self.owners])
        self.lessons = lessons(encoder.encode(texts), self.pictures.catalogue, said, designs[self.owners])
        self.full = encoder.encode([" ".join(phrases(product)) for product in self.products])
        self._known = known
        self.all = self._learn(self.lessons)
        self.held = [self._learn(self.lessons.of(self.folds != fold)) for fold in range(FOLDS)]

    def _learn(self, given: Lessons) -> Learned:
        return train_map(given, self.encoder.text_encoder_id, self.pictures.extractor_id, SEED, self._known)

    def meaning(self, texts: Sequence[str], *, seen: bool = False) -> list[Scores]:
        """By learned meaning alone, exactly; `seen`: by the map that was learned from these very products."""
        vectors = self.encoder.encode(texts)
        scores = np.empty((len(texts), len(self.owners)))
        for fold, learned in enumerate(self.held):
            own = self.folds == fold
            directions = (self.all if seen else learned).map.apply(vectors)
            scores[:, own] = directions @ self.pictures.catalogue[own].T
        return [ranked.of_pictures(row, self.owners, len(self.products)) for row in scores]

    def ceiling(self, relevant: NDArray[np.bool_]) -> Scores:
        """By the mean picture of what is relevant in other folds: as well as one direction could do."""
        scores = np.empty(len(self.owners))
        right = relevant[self.owners]
        for fold in range(FOLDS):
            own = self.folds == fold
            if (right & ~own).any():
                direction = self.pictures.catalogue[right & ~own].mean(0) - self.pictures.catalogue[~own].mean(0)
                direction /= np.linalg.norm(direction)
                scores[own] = self.pictures.catalogue[own] @ direction
            else:
                scores[own] = ranked.NOWHERE
        return ranked.of_pictures(scores, self.owners, len(self.products))


def by_words(apparel: Apparel) -> dict[str, Any]:
    """Of every voice and every way: precision and recall at 10."""
    asked = questions(apparel.products, SEED)
    words = ranked.Keywords(apparel.products)
    found = [words.scores(question.text) for question in asked]
    texts = [question.text for question in asked]
    meant, seen = apparel.meaning(texts), apparel.meaning(texts, seen=True)
    in_text = (apparel.encoder.encode(texts) @ apparel.full.T).astype(np.float64)

    def fused(number: int, weight: float) -> Scores:
        return ranked.by_ranks([(found[number][0], 1.0), (meant[number], weight)])

    def summed(number: int) -> Scores:
        return ranked.by_scores([(ranked.bounded(found[number][0]), 1.0), (meant[number], 1.0)])

    ways: dict[str, ranked.Way] = {
        "words": lambda n: found[n][0],
        "meaning": lambda n: meant[n],
        "meaning_seen": lambda n: seen[n],
        "rrf": lambda n: fused(n, 1.0),
        "rrf_half": lambda n: fused(n, MEANING_WEIGHT),
        "linear": summed,
        "where_words_lack": lambda n: found[n][0] if found[n][1] else fused(n, 1.0),
        "where_words_lack_linear": lambda n: found[n][0] if found[n][1] else summed(n),
        "text_vectors": lambda n: in_text[n],
        "mean_picture": lambda n: apparel.ceiling(asked[n].relevant),
        "any_order": lambda n: np.random.default_rng(n).random(len(apparel.products)),
    }
    return {voice: _measured(asked, voice, ways) for voice in VOICES}


def _measured(asked: Sequence[Question], voice: str, ways: dict[str, ranked.Way]) -> dict[str, Any]:
    numbers = [number for number, question in enumerate(asked) if question.voice == voice]
    found = {name: [ranked.quality(way(n), asked[n].relevant) for n in numbers] for name, way in ways.items()}
    for rows in found.values():  # paired with keyword search: the same questions are hard for both
        for row, words in zip(rows, found["words"], strict=True):
            row["precision_gained"] = row["precision_at_10"] - words["precision_at_10"]
    return {name: ranked.averaged(rows) for name, rows in found.items()}


def by_photo(apparel: Apparel) -> dict[str, Any]:
    """A photo of another view with words for its colour and kind: the very product, and products of that kind."""
    rows = {product["product_id"]: row for row, product in enumerate(apparel.products)}
    kept = [
        n for n, photo in enumerate(apparel.photos) if all(other_words(apparel.products[rows[photo["product_id"]]]))
    ]
    right = [rows[apparel.photos[n]["product_id"]] for n in kept]
    looks = apparel.pictures.queries[kept] @ apparel.pictures.catalogue.T
    look = [ranked.of_pictures(row.astype(np.float64), apparel.owners, len(apparel.products)) for row in looks]
    words = ranked.Keywords(apparel.products)
    figures: dict[str, Any] = {}
    for column, voice in enumerate(("catalogue", "other words")):
        texts = [other_words(apparel.products[row])[column] for row in right]
        found, meant = [words.scores(text)[0] for text in texts], apparel.meaning(texts)
        figures[voice] = {
            name: ranked.averaged([_of_photo(apparel, right[n], way(n)) for n in range(len(kept))])
            for name, way in _photo_ways(look, found, meant).items()
        }
    return figures


def _photo_ways(look: list[Scores], words: list[Scores], meant: list[Scores]) -> dict[str, Callable[[int], Scores]]:
    return {
        "look": lambda n: look[n],
        "look_words_rrf": lambda n: ranked.by_ranks([(look[n], 1.0), (words[n], 1.0)]),
        "look_meaning_rrf": lambda n: ranked.by_ranks([(look[n], 1.0), (meant[n], MEANING_WEIGHT)]),
        "look_meaning_one_vector": lambda n: look[n] + MEANING_WEIGHT * meant[n],
        "all_rrf": lambda n: ranked.by_ranks([(look[n], 1.0), (words[n], 1.0), (meant[n], MEANING_WEIGHT)]),
        "all_one_vector": lambda n: ranked.by_ranks([(look[n] + MEANING_WEIGHT * meant[n], 1.0), (words[n], 1.0)]),
    }


def _of_photo(apparel: Apparel, right: int, scores: Scores) -> dict[str, float]:
    best = ranked.first(scores, 10)
    own = apparel.products[right]
    alike = [
        apparel.products[row]["category"] == own["category"] and apparel.products[row]["colour"] == own["colour"]
        for row in best
    ]
    return {
        "product_at_1": float(right in best[:1]),
        "product_at_5": float(right in best[:5]),
        "alike_at_10": sum(alike) / 10,
    }


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
