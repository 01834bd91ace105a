"""What the search log keeps of a product that was shown: where it stood in each list that it was found by."""

from __future__ import annotations

from schemas.search_log import ShownProduct
from serving.blender.ranking.fusion import Fit, Rung
from serving.blender.showing.answers import Result
from serving.blender.writing.search_log import shown_product

RESULT = Result(
    product_id="p1", score=0.75, image_url="", title=None, category=None, brand=None, price=5.0, sales=3, praise=None
)
_OF_RESULT = {"product_id": "p1", "position": 2, "score": 0.75, "price": 5.0, "sales": 3}


def test_scores_of_every_list_are_kept() -> None:
    fit = Fit(0.5, None, Rung(7.25, 3), Rung(0.25, 9))
    assert shown_product(RESULT, 2, {"p1": fit}) == ShownProduct(
        words_score=7.25, words_rank=3, meaning_score=0.25, meaning_rank=9, **_OF_RESULT
    )
    assert shown_product(RESULT, 2, {"p1": Fit(0.5, Rung(0.5, 1), None)}) == ShownProduct(
        look_score=0.5, look_rank=1, **_OF_RESULT
    )


def test_score_of_a_likeness_alone_is_that_of_the_look() -> None:
    assert shown_product(RESULT, 2, None) == ShownProduct(look_score=0.75, look_rank=2, **_OF_RESULT)
