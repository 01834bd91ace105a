"""What learning from the catalogue itself adds to base features, step by step and block by block.

Nothing here is learned from a question that it is tested on: means of questions come from the other half of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval.features import SEED, Seen
from indexing.category.head import TERM
from indexing.category.training import Learned, train_head
from indexing.look.prior import Prior
from indexing.look.scatter import Matrix, Scatter, scatters
from indexing.look.training import prior_alone, train_tuning, with_query_log
from indexing.look.tuning import Tuning
from schemas.features.blocks import Block
from schemas.features.coded import decode_base, encode_base

Scores = NDArray[np.float32]
"""(questions, items)."""


def figures(seen: Seen, blocks: tuple[Block, ...], extractor_id: str, prior: Prior | None) -> dict[str, Any]:
    """`prior`: learned from other catalogues than this one."""
    tuning = train_tuning(*seen.lessons(), extractor_id, blocks, prior)
    untuned = seen.queries @ seen.items.T
    head = train_head(*seen.category_lessons(), extractor_id, blocks, SEED)
    whole = with_categories(tuning, head)
    found: dict[str, Any] = {
        "untuned": share(seen, untuned),
        "tuned": share(seen, scores(tuning, seen)),
        "tuned_query_mean": share(seen, by_halves(seen, tuning)),
        "tuned_category": share(seen, scores(whole, seen)),
        "tuned_query_mean_category": share(seen, by_halves(seen, whole)),
        "terms": {
            str(term): share(seen, by_halves(seen, with_categories(tuning, head, term)))["at_1"]
            for term in (0.1, 0.2, 0.3, 0.4)
        },
        "eight_bits": share(seen, by_halves(eight_bits(seen, blocks), whole)),
        "learned_alone": share(seen, scores(train_tuning(*seen.lessons(), extractor_id, blocks), seen)),
        "category": {**head.held, "used": head.used, **of_questions(seen, head)},
        "without": {block.name: share(seen, by_halves(seen, whole, {block.name: 0.0})) for block in blocks},
        "ms_a_picture": seen.ms,
    }
    if prior is not None:
        before = prior_alone(prior)
        found["prior_alone"] = share(seen, scores(before, seen))
        found["prior_alone_category"] = share(seen, scores(with_categories(before, head), seen))
    return found


def prior_of(learned_from: list[Seen], extractor_id: str, blocks: tuple[Block, ...]) -> Prior:
    """What these catalogues teach others: how things differ within each, weighed by their pictures."""
    found = [scatters(*each.lessons(), blocks) for each in learned_from]
    return Prior(extractor_id, blocks, tuple(_pooled(each) for each in zip(*found, strict=True)))


def _pooled(each: Sequence[Scatter]) -> Scatter:
    shares = np.array([one.pictures for one in each], np.float64)
    shares /= shares.sum()

    def mean(values: Sequence[Matrix]) -> Matrix:
        return np.asarray(np.tensordot(shares, np.stack(values), axes=1))

    return Scatter(
        sum(one.pictures for one in each),
        mean([one.mean for one in each]),
        mean([one.within for one in each]),
        mean([one.between for one in each]),
    )


def scores(tuning: Tuning, seen: Seen) -> Scores:
    """As searched, exactly."""
    found: Scores = tuning.queries(seen.queries) @ tuning.items(seen.items).T
    return found


def by_halves(seen: Seen, tuning: Tuning, look: Mapping[str, float] | None = None) -> Scores:
    """With the mean of the other half of the questions; those of one product are in one half."""
    items = tuning.items(seen.items)
    found = np.empty((len(seen.queries), len(items)), np.float32)
    names, number = np.unique(seen.wanted, return_inverse=True)
    if len(names) < len(seen.wanted) // 4:  # kinds of things: any other question will do
        names, number = seen.wanted, np.arange(len(seen.wanted))
    first = (np.random.default_rng(SEED).permutation(len(names)) % 2 == 0)[number]
    for half in (first, ~first):
        asked = with_query_log(tuning, seen.queries[~half])
        found[half] = asked.weighed(asked.queries(seen.queries[half]), look or {}) @ items.T
    return found


def with_categories(tuning: Tuning, head: Learned, term: float = TERM) -> Tuning:
    """As searched; `term`: what being surely of one category counts, instead of what it does."""
    if not head.used:
        return tuning
    return tuning.with_head(replace(head.head, accuracy=head.head.accuracy * term / TERM))


def of_questions(seen: Seen, head: Learned) -> dict[str, float]:
    """How often the head is right about the photos that are asked with."""
    names = np.array(head.head.names)
    said = names[head.head.probabilities(seen.queries).argmax(axis=1)]
    right = said == (seen.wanted if seen.field == "category" else wanted_categories(seen))
    return {"questions_right": float(right.mean()), "questions_right_error": error(right)}


def wanted_categories(seen: Seen) -> NDArray[np.str_]:
    """Of the product that each question asks for."""
    by_product = dict(zip(seen.product.tolist(), seen.category.tolist(), strict=True))
    return np.array([by_product[product] for product in seen.wanted.tolist()])


def eight_bits(seen: Seen, blocks: tuple[Block, ...]) -> Seen:
    """Items as a store of one byte a number holds them."""
    return replace(seen, items=decode_base(encode_base(seen.items, blocks), blocks))


def share(seen: Seen, found: Scores) -> dict[str, float]:
    """Of questions whose answer is among the first 1 and 5 different ones, with standard errors."""
    ranks = np.empty(len(found), np.intp)
    for question, row in enumerate(np.argsort(-found, axis=1, kind="stable")):
        different = list(dict.fromkeys(seen.answers[row[:200]].tolist()))
        wanted = str(seen.wanted[question])
        ranks[question] = different.index(wanted) if wanted in different else len(row)
    told: dict[str, float] = {}
    for k in (1, 5):
        told |= {f"at_{k}": float((ranks < k).mean()), f"at_{k}_error": error(ranks < k)}
    return told


def error(right: NDArray[np.bool_]) -> float:
    """The standard error of a share."""
    return float(right.std() / np.sqrt(len(right)))
