"""Candidates: what the lists found, an image a product, and how many of them a page needs."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from schemas.found import Hit
from schemas.query.question import Question

POOL = 400
"""Products per list that are put in another order, at least: what is not among them cannot be ranked up."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What was found for a question, list by list, in any order, with any number of images of a product.

    `look`: by inner product; `words`: by BM25; None where the question does not
    ask so, [] where it found nothing. `meaning`: by inner product with what the
    words look like, None where that was not asked for. `listed`: of a question
    that only filters, whose scores say nothing. `exhausted`: there is no more to
    be had by asking for more.
    """

    look: Sequence[Hit] | None = None
    words: Sequence[Hit] | None = None
    meaning: Sequence[Hit] | None = None
    listed: Sequence[Hit] | None = None
    exhausted: bool = True


def best_images(hits: Iterable[Hit], without: Container[str] = ()) -> list[Hit]:
    """The best image of each product, best first; `without`: products left out.

    Equal scores are in the order of product id, and of a product's images the first by id is taken: what comes out
    does not depend on which shard answered first.
    """
    best: dict[str, Hit] = {}
    for hit in hits:
        product = hit.product_id
        known = best.get(product)
        if known is None:
            if product not in without:
                best[product] = hit
        elif hit.score > known.score or (hit.score == known.score and hit.image_id < known.image_id):
            best[product] = hit
    return sorted(best.values(), key=lambda hit: (-hit.score, hit.product_id))


def reorders(question: Question) -> bool:
    """Whether its products are put in another order than that of their relevance."""
    return bool(question.rank or question.sort or question.max_per or question.mmr is not None)


def products_wanted(question: Question, shown: int, lists: int = 1) -> int:
    """Products that each list should hold, where there are as many, so that the page comes out as it should.

    `shown`: products on the pages before; `lists`: 2 where a route that has a photo or a product of its own asks by
    words as well, and where words are asked for by their meaning too. One more than is shown tells that there is more.
    Where products are put in another order the number grows in steps, so that the first pages are made of the same
    candidates.
    """
    needed = shown + question.offset + question.limit + 1
    both = lists > 1 or (question.has_examples and bool(question.text))
    if not both and not reorders(question):
        return needed
    wanted = POOL
    while wanted < 2 * needed:
        wanted *= 2
    return wanted
