"""Questions in a URL say what their JSON says, and are checked alike."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RejectedError
from schemas.query.fields import Fields
from schemas.query.parameters import PARAMETERS
from schemas.query.question import Question, decode_question, question_from_parameters, require_something
from schemas.query.rank import checked_profile

FIELDS = Fields.declared(["material:keyword"])
PROFILES = {"popular": checked_profile({"sales": 0.5}, FIELDS)}


def from_url(*parameters: tuple[str, str]) -> Question:
    return question_from_parameters(parameters, FIELDS, PROFILES)


def from_json(**body: Any) -> Question:
    return decode_question(msgspec.json.encode(body), FIELDS, PROFILES)


@pytest.mark.parametrize(
    "filter_text", ["category:shoes;price:10..50", '{"category": "shoes", "price": {"gte": 10, "lte": 50}}']
)
def test_a_url_says_what_json_says(filter_text: str) -> None:
    assert from_url(
        ("q", "red shoe"), ("limit", "5"), ("offset", "20"), ("match", "any"), ("filter", filter_text),
        ("facets", "brand;category;price:20,50,100;listed:1970-01-02T00:00:00Z,1970-01-03;!material"),
        ("rank", "popular"), ("sort", "-price"), ("max_per", "brand:2;material:1"), ("min_score", "0.2"),
        ("explain", "1"), ("generation", "g1"),
    ) == from_json(
        text="red shoe", limit=5, offset=20, match="any",
        filter={"category": "shoes", "price": {"gte": 10, "lte": 50}} if filter_text[0] == "{"
        else {"all": [{"category": "shoes"}, {"price": {"gte": 10, "lte": 50}}]},
        facets=["brand", "category", {"field": "price", "ranges": [20, 50, 100]},
                {"field": "listed", "ranges": [86_400, 172_800]},
                {"field": "material", "exclude_own": True}],
        rank="popular", sort="-price", diversity={"max_per": {"brand": 2, "material": 1}}, min_score=0.2,
        explain=True, generation="g1",
    )  # fmt: skip


def test_mmr_and_cursor_are_taken_too() -> None:
    question = from_url(("text", "a"), ("mmr", "0.7"), ("cursor", "abc"), ("explain", "true"))
    assert (question.mmr, question.cursor, question.explain) == (0.7, "abc", True)


def test_an_empty_value_is_as_good_as_none() -> None:
    assert from_url(*((name, "") for name in PARAMETERS if name != "q")) == Question()


def test_a_route_may_have_what_is_searched_with_itself() -> None:
    question = from_url()
    assert question == Question()
    with pytest.raises(RejectedError, match="asks for nothing"):
        require_something(question)
    require_something(from_url(("q", "shoe")))
    require_something(from_url(("filter", "brand:Acme")))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("limit", "0", "limit"), ("limit", "ten", "limit: .*1 to 100"), ("limit", "nan", "limit"),
        ("offset", "-1", "offset"), ("mmr", "nan", "mmr"), ("mmr", "2", "mmr"),
        ("min_score", "inf", "min_score: a finite"), ("min_score", "nan", "min_score: a finite"),
        ("explain", "yes", "explain"), ("colour", "red", "no such parameter; there are limit"),
        ("facets", "nix", "no field 'nix'"), ("facets", "price:20,nan", "ranges"),
        ("facets", "price:50,20", "ascend"), ("facets", "brand:20", "ranges are for numbers"),
        ("facets", "!!brand", "no field '!brand'"),
        ("facets", "brand;" * 17, "up to 16"), ("max_per", "brand", "brand:2;colour:1"),
        ("max_per", "brand:x", "max_per"), ("max_per", "price:2", "price is a number"),
        ("max_per", "brand:1;brand:2", "twice"), ("rank", "fancy", "there are: popular"),
        ("sort", "-brand", "brand is a keyword"), ("text", "a\ud800", "UTF-8"), ("q", "a" * 2001, "2000"),
        ("weights", "1", "no such parameter"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place_and_remedy(name: str, value: str, says: str) -> None:
    with pytest.raises(RejectedError, match=says) as refused:
        from_url((name, value))
    assert refused.value.reason == "invalid_question"


def test_a_parameter_is_sent_once() -> None:
    for parameters in ([("limit", "1"), ("limit", "2")], [("q", "a"), ("text", "a")]):
        with pytest.raises(RejectedError, match="twice"):
            from_url(*parameters)


def test_a_wrong_filter_is_an_invalid_filter() -> None:
    with pytest.raises(RejectedError) as refused:
        from_url(("filter", "brand"))
    assert refused.value.reason == "invalid_filter"


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(PARAMETERS) | st.text(max_size=5), st.text(max_size=12)), max_size=3))
def test_any_parameters_are_a_question_or_rejected(parameters: list[tuple[str, str]]) -> None:
    try:
        question = from_url(*parameters)
    except RejectedError as error:
        assert error.reason in ("invalid_question", "invalid_filter")
    else:
        assert len(question.digest()) == 8
