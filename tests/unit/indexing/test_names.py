"""Names that a text may become: whole titles, brands and categories, of products on sale and of none other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from indexing.shard.questions.naming import Name
from indexing.shard.shard import Shard
from schemas.deltas.delta import DeltaBatch
from schemas.ids import image_id
from schemas.query.indexed import Indexed

EXTRACTOR = "test/1"


class Goods:
    """A shard, and what is told it of products, an image each."""

    def __init__(self) -> None:
        self.shard = Shard(EXTRACTOR, 4)
        self.shard.open_attributes(Indexed())
        self._sequence = 0

    def say(self, product: str, on_sale: bool = True, **attributes: Any) -> None:
        self._sequence += 1
        url = f"http://shop/{product}.jpg"
        batch = DeltaBatch(EXTRACTOR)
        batch.add(
            image_id(product, url), product, state_seq=self._sequence, valid=on_sale, url=url,
            attributes=json.dumps(attributes).encode(),
        )  # fmt: skip
        self.shard.apply(batch)

    def names(self, text: str, limit: int = 10) -> list[tuple[str, str, int]]:
        return [tuple(name) for name in self.shard.names(text, limit)]


@pytest.fixture
def goods() -> Goods:
    made = Goods()
    made.say("p1", title="Red Running Shoe", brand="Runwell", category="shoes/running")
    made.say("p2", title="Red Running Shoe", brand="Nord", category="shoes/running/trail")
    made.say("p3", title="Shoe for running", brand="Nord \u00d6st", category="shoes")
    made.say("p4", title="Hat", brand="Nord", category="hats")
    return made


def test_words_stand_side_by_side_and_the_last_may_be_unfinished(goods: Goods) -> None:
    assert goods.names("red ru") == [("title", "Red Running Shoe", 2)]
    assert goods.names("RUNNING SHOE") == [("title", "Red Running Shoe", 2)]
    assert goods.names("red sh") == [], "another word stands between"
    assert goods.names("shoe ") == [("title", "Shoe for running", 1), ("title", "Red Running Shoe", 2)]
    assert goods.names("sho ") == []
    assert goods.names("nord os") == [("brand", "Nord \u00d6st", 1)], "accents make no difference"
    assert goods.names("") == goods.names(" - ") == goods.names("x" * 1000) == goods.names("red", 0) == []


def test_last_part_of_a_path_is_completed_and_counts_what_lies_below(goods: Goods) -> None:
    assert ("category", "shoes/running", 2) in goods.names("run")
    assert [each for each in goods.names("shoes") if each[0] == "category"] == [("category", "shoes", 3)]
    assert goods.names("shoes run") == [("category", "shoes/running", 2)]
    assert [each for each in goods.names("no") if each[0] == "brand"] == [
        ("brand", "Nord", 2), ("brand", "Nord \u00d6st", 1),
    ]  # fmt: skip
    assert goods.names("no", 1) == [("brand", "Nord", 2)]


def test_names_of_removed_products_alone_are_not_there(goods: Goods) -> None:
    goods.say("p1", on_sale=False)
    assert goods.names("red ru") == [("title", "Red Running Shoe", 1)]
    assert goods.names("runw") == []
    goods.say("p2", on_sale=False)
    assert goods.names("red ru") == []
    assert ("category", "shoes/running") not in {each[:2] for each in goods.names("run")}
    goods.say("p2", title="Blue Running Shoe", brand="Nord", category="shoes")
    assert goods.names("blue") == [("title", "Blue Running Shoe", 1)]


def test_what_is_no_text_is_no_name() -> None:
    goods = Goods()
    goods.say("p1", title=["Lamp"], brand="Lamp", category=["lamp"])
    goods.say("p2", title="Lamp " + "x" * 300)
    assert goods.names("lam") == [tuple(Name("brand", "Lamp", 1))]


def test_nothing_is_asked_before_the_attributes_are_there() -> None:
    with pytest.raises(ValueError, match="open_attributes"):
        Shard(EXTRACTOR, 4).names("a", 1)
