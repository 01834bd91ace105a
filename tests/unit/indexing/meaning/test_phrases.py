"""What a product is called, for a map to learn from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indexing.meaning.phrases import MOST_PHRASES, phrases


def test_title_comes_first_and_short_forms_follow() -> None:
    product = {"title": "Ingrid Jacket&reg; Red", "category": "Women/Tops/Jackets", "colour": "Red", "price": 3}
    assert phrases(product) == [
        "Ingrid Jacket® Red", "Jackets", "Red", "Red Jackets", "Women Jackets", "Women Red Jackets",
    ]  # fmt: skip


def test_product_without_a_title_has_none_first() -> None:
    assert phrases({"category": "hat"}) == ["", "hat"]
    assert phrases({}) == [""]


@given(st.dictionaries(st.sampled_from(["title", "category", "colour", "brand"]), st.text(max_size=9) | st.integers()))
def test_any_attributes_give_few_different_texts(attributes: dict[str, object]) -> None:
    found = phrases(attributes)
    assert 1 <= len(found) <= MOST_PHRASES and len(set(found)) == len(found)
