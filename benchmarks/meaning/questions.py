"""Questions in words, and which products they ask for: by the catalogue's own words, and by others for the same.

The other words were written down before anything was measured. One that some title or category has after all
is left out, so that keyword search cannot know any of them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = {
    "Hoodies & Sweatshirts": ("jumper", "sweater"),
    "Jackets": ("coat", "windbreaker"),
    "Tees": ("t-shirt", "short sleeved shirt"),
    "Tanks": ("sleeveless shirt", "singlet"),
    "Pants": ("trousers", "sweatpants"),
    "Shorts": ("bermudas", "trunks"),
    "Bras & Tanks": ("sleeveless shirt", "camisole"),
}
COLOURS = {
    "Blue": "azure",
    "Black": "ebony",
    "Red": "crimson",
    "Green": "emerald",
    "Purple": "violet",
    "Orange": "tangerine",
    "Gray": "charcoal",
    "Yellow": "lemon",
    "White": "ivory",
}
WEARERS = {"Men": "gentlemen", "Women": "ladies"}
LEAST_RELEVANT = 3
MOST_TITLE_QUESTIONS = 150

VOICES = ("catalogue", "titles", "one other word", "other words")


@dataclass(frozen=True, slots=True)
class Question:
    """voice: one of `VOICES`. relevant (products,): which have all that the words say."""

    voice: str
    text: str
    relevant: NDArray[np.bool_]


def questions(products: Sequence[dict[str, Any]], seed: int) -> list[Question]:
    """Of every voice, each text once."""
    found: dict[str, Question] = {}
    for question in (*_attributes(products), *_titles(products, seed)):
        found.setdefault(question.text, question)
    known = {word for product in products for word in _words(f"{product['title']} {product['category']}")}
    return [question for question in found.values() if _is_kept(question, known)]


def other_words(product: dict[str, Any]) -> tuple[str, str]:
    """(colour and kind of a product as its catalogue has them, in other words); "" where there are none."""
    kind, colour = product["category"].split("/")[-1], product["colour"]
    others = f"{COLOURS[colour]} {KINDS[kind][0]}" if colour in COLOURS else ""
    return f"{colour} {kind}", others


def _is_kept(question: Question, known: set[str]) -> bool:
    """Of the other words none is known."""
    others = {
        word for text in (*COLOURS.values(), *WEARERS.values(), *sum(KINDS.values(), ())) for word in _words(text)
    }
    if question.voice not in VOICES[2:]:
        return True
    used = [word for word in _words(question.text) if word in others]
    return bool(used) and all(word not in known for word in used)


def _attributes(products: Sequence[dict[str, Any]]) -> Iterator[Question]:
    kind = np.array([product["category"].split("/")[-1] for product in products])
    wearer = np.array([product["category"].split("/")[0] for product in products])
    colour = np.array([product["colour"] for product in products])
    for k in (None, *KINDS):
        for c in (None, *COLOURS):
            for w in (None, *WEARERS):
                relevant = (kind == k if k else True) & (colour == c if c else True) & (wearer == w if w else True)
                if (k is None and (c is None or w is not None)) or np.sum(relevant) < LEAST_RELEVANT:
                    continue
                relevant = np.asarray(relevant)
                yield Question("catalogue", _joined(w, c, k), relevant)
                for other in KINDS[k] if k else (None,):
                    yield Question(
                        "other words", _joined(WEARERS[w] if w else None, COLOURS.get(c or ""), other), relevant
                    )
                    if k and c:
                        yield Question("one other word", _joined(w, c, other), relevant)
                if k and c:
                    yield Question("one other word", _joined(w, COLOURS[c], k), relevant)


def _titles(products: Sequence[dict[str, Any]], seed: int) -> Iterator[Question]:
    """Words of several designs' titles, alone and with a colour; a title's last word is its colour."""
    titles = [_words(product["title"]) for product in products]
    colour = np.array([product["colour"].lower() for product in products])
    names = sorted({word for words in titles for word in words if len(word) > 2} - {c.lower() for c in COLOURS})
    pool = []
    for word in names:
        having = np.array([word in words for words in titles])
        designs = {
            product["product_id"].rpartition("-")[0] for product, has in zip(products, having, strict=True) if has
        }
        if len(designs) < LEAST_RELEVANT:
            continue
        pool.append(Question("titles", word, having))
        for each in sorted(set(colour[having])):
            relevant = having & (colour == each)
            if relevant.sum() >= LEAST_RELEVANT:
                pool.append(Question("titles", f"{each} {word}", relevant))
    yield from random.Random(seed).sample(pool, min(len(pool), MOST_TITLE_QUESTIONS))


def _joined(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower())
