"""A simulated shop whose shoppers click by a known rule, so that what is learned from them can be compared with it.

Whether a product pleases depends on its look, its price, its sales and its praise; whether it is looked at, on its
position alone. A product is clicked that is looked at and pleases. Everything is drawn from a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexing.ranking.model import RankModel
from schemas.found import Hit
from schemas.query.fields import Fields
from schemas.query.question import Question
from schemas.query.rank import Measure, RankProfile, checked_profile
from schemas.search_log import ClickRecord, SearchRecord, ShownProduct
from schemas.topics import DAY_MS
from serving.blender.ranking.candidates import POOL, Candidates
from serving.blender.ranking.ranking import Ranked, Ranking

DECLARED = {"popular": checked_profile({"relevance": 1.0, "sales": Measure(0.3, 500.0)}, Fields())}
"""What the shop believes: what sold will sell."""
FIRST_DAY_MS = 20_000 * DAY_MS
STEEPNESS = 0.8
"""Of position k, 1 / k to the power of this is how often it is looked at."""
_DIMENSION = 16
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's candidates, best look first, and how likely each pleases who asked."""

    hits: list[Hit]
    pleases: NDArray[np.float64]

    def ndcg(self, products: list[str], first: int = _SHOWN) -> float:
        """How near the order comes to the best there is, by what pleases: 1 is it."""
        by_product = dict(zip([hit.product_id for hit in self.hits], self.pleases, strict=True))
        discounts = 1.0 / np.log2(np.arange(first) + 2)
        got = np.array([by_product[product] for product in products[:first]]) @ discounts
        return float(got / (np.sort(self.pleases)[::-1][:first] @ discounts))


class SimulatedShop:
    """`taste`: 1: shoppers want what the rule below says; 0: they click on anything. `pool`: candidates a question."""

    def __init__(self, seed: int, products: int = 2000, taste: float = 1.0, pool: int = POOL) -> None:
        random = self.random = np.random.default_rng(seed)
        self._looks = _unit(random.standard_normal((products, _DIMENSION)))
        self._prices = np.round(random.lognormal(3.5, 0.7, products), 2)
        self._sales = random.lognormal(5.0, 1.5, products).astype(int)
        self._praise = np.round(random.beta(4, 2, products), 2)
        self._taste = taste
        self._pool = pool

    @cached_property
    def _worth(self) -> NDArray[np.float64]:
        """Cheap is better; sold much is better where it is praised, and worse where it is not."""
        cheap = 40.0 / (40.0 + self._prices)
        sold = self._sales / (self._sales + 150.0)
        worth: NDArray[np.float64] = 3.0 * cheap + 5.0 * (self._praise - 0.6) * (0.5 + sold)
        return worth

    def question(self) -> Asked:
        """What somebody looks for by a photo."""
        cosines = self._looks @ _unit(self.random.standard_normal((1, _DIMENSION)))[0]
        nearest = np.argsort(-cosines, kind="stable")[: self._pool]
        odds = self._taste * (9.0 * (cosines[nearest] - 0.6) + self._worth[nearest] - 1.5) - 1.8
        return Asked([self._hit(number, cosines[number]) for number in nearest], 1.0 / (1.0 + np.exp(-odds)))

    def _hit(self, number: int, cosine: float) -> Hit:
        return Hit(
            image_id=int(number).to_bytes(16, "big"), product_id=f"p{number}", score=float(cosine), url="",
            price=float(self._prices[number]), sales=int(self._sales[number]), praise=float(self._praise[number]),
            attributes=b"", state_seq=1,
        )  # fmt: skip

    def day(
        self, day: int, answers: int, rank: RankProfile | None = DECLARED["popular"]
    ) -> Iterator[tuple[SearchRecord, list[ClickRecord]]]:
        """A day's answers in the order of that profile, and what was clicked of each."""
        for number in range(answers):
            asked = self.question()
            at_ms = FIRST_DAY_MS + day * DAY_MS + number * (DAY_MS // (answers + 1))
            yield self._answered(asked, order(asked, rank), at_ms)

    def _answered(self, asked: Asked, shown: list[Ranked], at_ms: int) -> tuple[SearchRecord, list[ClickRecord]]:
        search_id = self.random.bytes(16).hex()
        pleases = dict(zip([hit.product_id for hit in asked.hits], asked.pleases, strict=True))
        products, clicks = [], []
        for position, each in enumerate(shown, 1):
            hit, look = each.hit, each.fit.look
            assert look is not None
            products.append(
                ShownProduct(
                    product_id=hit.product_id, position=position, score=each.score, look_score=look.score,
                    look_rank=look.rank, price=hit.price, sales=hit.sales, praise=hit.praise,
                )
            )  # fmt: skip
            if self.random.random() < pleases[hit.product_id] * position**-STEEPNESS:
                clicks.append(
                    ClickRecord(search_id=search_id, product_id=hit.product_id, position=position, at_ms=at_ms + 5000)
                )
        record = SearchRecord(
            search_id=search_id, at_ms=at_ms, kinds=("photo",), generation="live", watermark_ms=at_ms, took_ms=5.0,
            shown=tuple(products),
        )  # fmt: skip
        return record, clicks

    def mean_ndcg(self, questions: int, *orders: Callable[[Asked], list[Ranked]]) -> list[float]:
        """Of each order over the same fresh questions, by what pleases."""
        asked = [self.question() for _ in range(questions)]
        return [float(np.mean([each.ndcg([one.hit.product_id for one in order(each)]) for each in asked]))
                for order in orders]  # fmt: skip


def order(asked: Asked, rank: RankProfile | None = None, model: RankModel | None = None) -> list[Ranked]:
    """The first page, by the blender's own ranking."""
    question = Question(rank=rank if model is None else RankProfile(learned=True), limit=_SHOWN)
    ranking = Ranking(question, Candidates(look=asked.hits), now_ms=FIRST_DAY_MS, model=model)
    return list(ranking.page().results)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    divided: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return divided
