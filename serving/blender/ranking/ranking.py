"""The ranking: from candidates and a question to the page that is shown, and whether there may be another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from indexing.ranking.model import RankModel
from schemas.doubles import colour_of, told_apart
from schemas.found import Hit
from schemas.ids import product_hash
from schemas.query.fields import Values
from schemas.query.question import Question
from schemas.query.rank import scored
from serving.blender.ranking.candidates import Candidates, best_images
from serving.blender.ranking.diversity import Quotas, by_marginal_relevance, first_allowed
from serving.blender.ranking.doubles import MOST_COMPARED, Doubles, Named
from serving.blender.ranking.explain import Explain, list_part, shown_in
from serving.blender.ranking.fusion import NO_FIT, Fit, fuse
from serving.blender.ranking.learned import learned_score, learned_scores
from serving.blender.ranking.pages import MAX_SHOWN
from serving.blender.ranking.profiles import measure_parts
from serving.blender.ranking.scored import Scored, Vectors, groups_of, matrix_of, pairs, sort_key
from serving.blender.ranking.values import ranked_by, values_of_hit
from serving.blender.showing.products import decode_attributes

LEAST_MMR_POOL = 100
MOST_MMR_POOL = 200
"""Products that maximal marginal relevance chooses from: twice what it chooses, within these. What comes after them
follows by score; each choice takes time for each of them."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A product of a page, by the image that fits best, with its score and, if it was asked for, where that is from.

    `fit`: where it stood in the lists, whether asked for or not. `also`: products that show the same picture, merged
    into this one, best first.
    """

    hit: Hit
    score: float
    explain: Explain | None
    fit: Fit
    also: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """`shown`: hashes of all products up to here, those before included; `more`: another page may have some.

    `complete`: it is full, or more candidates could add nothing to it. `named`: products of this page that are named
    under others only; `compared`: those whose pictures were.
    """

    results: tuple[Ranked, ...]
    shown: frozenset[bytes]
    more: bool
    complete: bool
    named: int = 0
    compared: int = 0


class Ranking:
    """One question's candidates in their order. A function of its arguments: the same ones give the same page.

    `now_ms`: the answer's watermark, by which ages are measured; `shown`:
    hashes of products on the pages before (`pages.decode`); `without`: ids of
    products to leave out besides those that the question names as examples.
    `model`: the order learned from clicks, of a question that asks for it.
    The order is of score, or of the field to sort by, with equal ones by
    product id. Diversity is of one page: what it passes by comes on a later one.
    `least`: how alike pictures of two products must be to be merged; None: none
    are. Merged is within a page, so that each product is shown or named on one.
    """

    def __init__(
        self,
        question: Question,
        candidates: Candidates,
        *,
        now_ms: int,
        shown: frozenset[bytes] = frozenset(),
        without: Collection[str] = (),
        model: RankModel | None = None,
        least: float | None = None,
    ) -> None:
        self._question = question
        self._exhausted = candidates.exhausted
        self._now_s = now_ms / 1000
        self._shown = shown
        self._model = model
        self._least = least
        self._fields = ranked_by(question)
        self._known: dict[str, Values] = {}
        left_out = {*without, *(product.id for product in question.products)}
        self._order = self._ordered(candidates, left_out)

    @property
    def vectors_wanted(self) -> list[bytes]:
        """Images whose vectors `page` needs: of the pool that it is chosen from, and those compared for doubles."""
        pool = 0 if self._question.mmr is None else self._pool
        compared = 0 if self._least is None else MOST_COMPARED
        return [each.hit.image_id for each in self._order[: max(pool, compared)]]

    def page(self, vectors: Vectors | None = None) -> Page:
        """The page. `vectors`: by image id, of length 1; an image without one is like no other."""
        question = self._question
        end = question.offset + self._room
        compared = [] if self._least is None else self._order[:MOST_COMPARED]
        doubles = None
        if self._least is not None:
            doubles = Doubles(matrix_of(compared, vectors or {}), self._least, self._apart)
        positions = self._chosen(end, vectors or {}, doubles)
        if doubles is not None:
            doubles.take_rest()
        named = {position: self._named(position, doubles) for position in positions}
        # What an offset passes by counts as shown, so that the page after this one goes on from here.
        hits = [self._order[position].hit for position in positions]
        hits += [each.hit for also in named.values() for each in also]
        shown = self._shown.union(product_hash(hit.product_id) for hit in hits)
        left = len(hits) < len(self._order) or not self._exhausted
        picked = positions[question.offset :]
        return Page(
            results=tuple(self._ranked(self._order[position], named[position]) for position in picked),
            shown=shown,
            more=bool(picked) and left and len(shown) < MAX_SHOWN,
            complete=len(positions) >= end or self._exhausted,
            named=len(hits) - len(positions),
            compared=len(compared),
        )

    # -- the order -----------------------------------------------------------------------------

    def _ordered(self, candidates: Candidates, left_out: set[str]) -> list[Scored]:
        question = self._question
        look = None if candidates.look is None else best_images(candidates.look, left_out)
        words = None if candidates.words is None else best_images(candidates.words, left_out)
        meaning = None if candidates.meaning is None else best_images(candidates.meaning, left_out)
        fits = fuse(
            pairs(look),
            pairs(words),
            question.weights,
            question.fusion,
            bounded=self._model is not None or (question.rank is not None and bool(question.rank.measures)),
            meaning=pairs(meaning),
        )
        least = question.min_score
        if least is not None and meaning is None and (look is None or words is None):
            # In a single list, whatever comes after one that fits too little fits less.
            self._exhausted |= any(fit.relevance < least for fit in fits.values())
        listed = best_images(candidates.listed or (), left_out)
        # Of a product found in several ways, the image is shown that looks most like what is asked for.
        hits = {hit.product_id: hit for hit in chain(listed, words or (), meaning or (), look or ())}
        kept = []
        for product, hit in hits.items():
            if self._shown and product_hash(product) in self._shown:
                continue
            if meaning is not None and product not in fits:
                continue
            fit = fits.get(product, NO_FIT)
            if least is None or fit.relevance >= least:
                kept.append((hit, fit))
        order = [Scored(hit, fit, score) for (hit, fit), score in zip(kept, self._scores(kept), strict=True)]
        order.sort(key=lambda each: (-each.score, each.hit.product_id))
        if question.sort is not None:
            sort = question.sort
            order.sort(key=lambda each: sort_key(sort, self._values(each.hit)))
        return order

    def _scores(self, products: Sequence[tuple[Hit, Fit]]) -> list[float]:
        if self._model is not None:
            return learned_scores(self._model, [(fit, self._values(hit)) for hit, fit in products])
        profile = self._question.rank
        if profile is None:
            return [fit.relevance for _, fit in products]
        return [scored(profile, fit.relevance, self._values(hit), self._now_s) for hit, fit in products]

    def _values(self, hit: Hit) -> Values:
        """Read once a product."""
        values = self._known.get(hit.product_id)
        if values is None:
            values = self._known[hit.product_id] = values_of_hit(hit, self._fields)
        return values

    # -- the page ------------------------------------------------------------------------------

    @property
    def _room(self) -> int:
        """Products of this page, at most; the pages of a cursor end at `MAX_SHOWN`."""
        return max(0, min(self._question.limit, MAX_SHOWN - len(self._shown)))

    @property
    def _pool(self) -> int:
        return min(MOST_MMR_POOL, max(LEAST_MMR_POOL, 2 * (self._question.offset + self._room)))

    def _chosen(self, wanted: int, vectors: Vectors, doubles: Doubles | None) -> list[int]:
        question = self._question
        quotas = Quotas([most for _, most in question.max_per])
        limited = [field for field, _ in question.max_per]

        def admits(position: int) -> bool:
            if doubles is not None and doubles.take(position):
                return False
            if limited and not quotas.take(groups_of(self._values(self._order[position].hit), limited)):
                return False
            if doubles is not None:
                doubles.lead(position)
            return True

        if question.mmr is None:
            return first_allowed(len(self._order), wanted, admits)
        pool = self._order[: self._pool]
        chosen = by_marginal_relevance(
            np.array([each.score for each in pool]), matrix_of(pool, vectors), question.mmr, wanted, admits
        )
        # Where the pool is too small, or quotas let too few of it pass, the page is filled from what comes after it.
        rest = range(len(pool), len(self._order))
        more = first_allowed(len(rest), wanted - len(chosen), lambda position: admits(rest[position]))
        return chosen + [rest[position] for position in more]

    def _apart(self, left: int, right: int) -> bool:
        """Whether the shop says that two products of the order are different, however alike their pictures are."""
        colours = [colour_of(decode_attributes(self._order[each].hit.attributes)) for each in (left, right)]
        return told_apart(*colours)

    def _named(self, position: int, doubles: Doubles | None) -> tuple[Named, ...]:
        """Those named under the product at this place, in their order."""
        named = () if doubles is None else sorted(doubles.named[position])
        return tuple(Named(self._order[place].hit, likeness) for place, likeness in named)

    def _ranked(self, each: Scored, also: tuple[Named, ...]) -> Ranked:
        return Ranked(each.hit, each.score, self._explained(each), each.fit, also)

    def _explained(self, each: Scored) -> Explain | None:
        if not self._question.explain:
            return None
        profile = self._question.rank
        explain = Explain(
            look=list_part(each.fit.look),
            words=list_part(each.fit.words),
            relevance=each.fit.relevance,
            relevance_weight=1.0 if profile is None else profile.relevance,
            measures={} if profile is None else measure_parts(profile, self._values(each.hit), self._now_s),
            score=each.score,
        )
        if (meant := list_part(each.fit.meaning)) is not None:
            explain["meaning"] = meant
        if (shown := shown_in(each.hit)) is not None:
            explain["shown"] = shown
        if self._model is not None:
            explain["learned"] = learned_score(self._model, each.fit, self._values(each.hit))
        return explain
