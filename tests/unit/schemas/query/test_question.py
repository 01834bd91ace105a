"""Questions in JSON: all of what may be asked, and that whatever cannot be answered is rejected with its place."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RejectedError
from schemas.query.body import (
    _REMEDIES,
    ImageAsked,
    ProductAsked,
    QuestionBody,
    VectorAsked,
    Weights,
)
from schemas.query.facets import FacetWanted
from schemas.query.fields import Field, FieldKind, Fields
from schemas.query.filters import AnyOf
from schemas.query.question import Facet, Question, Sort, decode_question
from schemas.query.rank import Measure, RankProfile, checked_profile

FIELDS = Fields.declared(["material:keyword"])
PROFILES = {"popular": checked_profile({"sales": Measure(0.3, 500.0)}, FIELDS)}
BRAND, PRICE = Field("brand", FieldKind.KEYWORD), Field("price", FieldKind.NUMBER)
PHOTO = b64encode(b"photo").decode()


def asked(**body: Any) -> Question:
    return decode_question(msgspec.json.encode(body), FIELDS, PROFILES)


def test_everything_that_may_be_asked_is_in_the_question() -> None:
    question = asked(
        images=[{"data": PHOTO, "weight": -0.5}], vectors=[{"vector": [1, 2], "weight": 2}], products=[{"id": "p1"}],
        text=" red running shoe ", match="any", weights={"look": 2}, fusion="linear", filter={"brand": "Strider"},
        facets=["brand", {"field": "price", "ranges": [20, 50]}, {"field": "brand", "limit": 20}],
        rank={"relevance": 2, "sales": {"weight": 0.3, "half": 500}, "praise": 0.2}, min_score=0.2,
        diversity={"max_per": {"brand": 2}, "mmr": 0.7}, limit=5, offset=7, explain=True, generation="g1",
    )  # fmt: skip
    praise, sales = Field("praise", FieldKind.NUMBER), Field("sales", FieldKind.NUMBER)
    assert question == Question(
        images=(ImageAsked(b"photo", -0.5),), vectors=(VectorAsked((1.0, 2.0), 2.0),), products=(ProductAsked("p1"),),
        text="red running shoe ", match="any", weights=Weights(2.0, 1.0), fusion="linear",
        filter=AnyOf("brand", ("Strider",)),
        facets=(Facet(FacetWanted("brand"), 20), Facet(FacetWanted("price", (20.0, 50.0)), 10)),
        rank=RankProfile(2.0, ((praise, Measure(0.2)), (sales, Measure(0.3, 500.0)))), min_score=0.2,
        max_per=((BRAND, 2),), mmr=0.7, limit=5, offset=7, explain=True, generation="g1",
    )  # fmt: skip


def test_short_forms_are_the_long_ones_with_weight_1() -> None:
    short = asked(images=[PHOTO], vectors=[[1, 2]], products=["p1"], rank="popular", facets=["brand"])
    long = asked(
        images=[{"data": PHOTO}], vectors=[{"vector": [1, 2]}], products=[{"id": "p1", "weight": 1}],
        rank={"profile": "popular"}, facets=[{"field": "brand"}],
    )  # fmt: skip
    assert short == long
    assert short.rank == PROFILES["popular"]


def test_sort_is_by_a_numeric_field_either_way() -> None:
    assert asked(text="a", sort="price").sort == Sort(PRICE, descending=False)
    assert asked(text="a", sort="-price").sort == Sort(PRICE, descending=True)


def test_bounds_of_a_time_are_dates_or_seconds() -> None:
    question = asked(text="a", facets=[{"field": "listed", "ranges": ["1970-01-02", 172_800]}])
    assert question.facets[0].wanted.ranges == (86_400.0, 172_800.0)


@pytest.mark.parametrize("body", [{"filter": {}}, {"text": "a"}, {"vectors": [[1]]}, {"images": [PHOTO]}])
def test_one_thing_to_search_or_filter_by_is_enough(body: dict[str, Any]) -> None:
    asked(**body)


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({}, "asks for nothing"),
    ({"text": "  "}, "asks for nothing"),
    ({"limit": 5, "facets": ["brand"]}, "asks for nothing"),
    ({"textt": "a"}, "unknown field `textt`; there are images"),
    ({"text": "a", "diversity": {"maxper": {}}}, "diversity: .*`maxper`"),
    ({"text": 5}, "text: Expected `str`, got `int`"),
    ({"text": "a" * 2001}, "text: .*2000 characters"),
    ({"text": "a", "match": "some"}, "match: .*auto, all or any"),
    ({"text": "a", "fusion": "sum"}, "fusion: .*rrf or linear"),
    ({"text": "a", "limit": 0}, "limit: .*1 to 100"),
    ({"text": "a", "limit": 101}, "limit: .*1 to 100"),
    ({"text": "a", "limit": 1.5}, "limit: .*whole number"),
    ({"text": "a", "limit": True}, "limit: .*got `bool`"),
    ({"text": "a", "offset": -1}, "offset: "),
    ({"text": "a", "offset": 1001}, "offset: .*cursor"),
    ({"text": "a", "offset": 1, "cursor": "x"}, "offset: goes not with a cursor"),
    ({"images": [PHOTO] * 9}, "images: .*up to 8"),
    ({"images": ["no base64"]}, r"images\[0\]: Invalid base64"),
    ({"images": [{"data": PHOTO}, {"data": "%"}]}, r"images\[1\]\.data: Invalid base64"),
    ({"images": [""]}, r"images\[0\]: has no bytes"),
    ({"images": [PHOTO[:-1]]}, "Invalid base64"),
    ({"vectors": [[1]] * 9}, "vectors: .*up to 8"),
    ({"vectors": [[]]}, r"vectors\[0\]"),
    ({"vectors": [{"vector": []}]}, r"vectors\[0\]\.vector"),
    ({"vectors": [["1"]]}, r"vectors\[0\]"),
    ({"products": ["p"] * 17}, "products: .*up to 16"),
    ({"products": [""]}, r"products\[0\]"),
    ({"products": [{"id": ""}]}, r"products\[0\]"),
    ({"products": ["p", "ä" * 257]}, r"products\[1\]: an id of 514 bytes"),
    ({"products": [{"id": "p", "weight": 101}]}, r"products\[0\]\.weight"),
    ({"images": [{"data": PHOTO, "weight": -1}], "text": "a"}, "weight: .*above 0"),
    ({"products": [{"id": "p", "weight": 0}], "vectors": [{"vector": [1], "weight": -1}]}, "weight: .*above 0"),
    ({"text": "a", "weights": {"look": -1}}, "weights.look"),
    ({"text": "a", "weights": {"look": 0, "words": 0}}, "weights: .*both 0"),
    ({"text": "a", "rank": "fancy"}, "rank: .*'fancy'; there are: popular"),
    ({"text": "a", "rank": {"profile": "fancy"}}, "rank: .*'fancy'"),
    ({"text": "a", "rank": {"profile": "popular", "sales": 1}}, "name it alone"),
    ({"text": "a", "rank": {"sales": "much"}}, r"rank\.sales: a weight"),
    ({"text": "a", "rank": {"brand": 1}}, r"rank\.brand: brand is a keyword"),
    ({"text": "a", "rank": {"sales": {"weight": 1, "haf": 2}}}, "rank.*`haf`"),
    ({"text": "a", "sort": "brand"}, "sort: brand is a keyword; .*price, sales, praise, listed"),
    ({"text": "a", "sort": "nix"}, "sort: there is no field 'nix'"),
    ({"text": "a", "sort": "price", "diversity": {"mmr": 0.5}}, "mmr: .*goes not with sort"),
    ({"text": "a", "diversity": {"mmr": 1.1}}, "diversity.mmr"),
    ({"text": "a", "diversity": {"max_per": {"brand": 0}}}, "diversity.max_per"),
    ({"text": "a", "diversity": {"max_per": {"size": 1}}}, "max_per: size is a list; .*category, brand"),
    ({"text": "a", "facets": ["brand"] * 17}, "facets: .*up to 16"),
    ({"text": "a", "facets": ["nix"]}, r"facets\[0\]: there is no field 'nix'"),
    ({"text": "a", "facets": [{"field": "brand", "ranges": [1]}]}, r"facets\[0\]: brand is a keyword; ranges"),
    ({"text": "a", "facets": [{"field": "price", "ranges": [2, 1]}]}, r"facets\[0\]\.ranges: .*ascend"),
    ({"text": "a", "facets": [{"field": "price", "ranges": [1, 1]}]}, r"facets\[0\]\.ranges: .*ascend"),
    ({"text": "a", "facets": [{"field": "price", "ranges": ["1"]}]}, r"facets\[0\]\.ranges: price is a number"),
    ({"text": "a", "facets": [{"field": "price", "ranges": list(range(65))}]}, "facets.*64 ranges"),
    ({"text": "a", "facets": [{"field": "brand", "limit": 0}]}, "facets.*limit"),
    ({"text": "a", "min_score": "much"}, "min_score: .*a number"),
    ({"text": "a", "generation": "g" * 65}, "generation"),
    ({"text": "a", "explain": 1}, "explain: .*true or false"),
]


@pytest.mark.parametrize(("body", "says"), FAULTS)
def test_a_fault_is_named_with_its_place_and_remedy(body: dict[str, Any], says: str) -> None:
    with pytest.raises(RejectedError, match=says) as refused:
        asked(**body)
    assert refused.value.reason == "invalid_question"


def test_a_wrong_filter_is_an_invalid_filter() -> None:
    with pytest.raises(RejectedError) as refused:
        asked(filter={"brnd": "x"})
    assert refused.value.reason == "invalid_filter"


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"text": NaN}', b'{"text": "\\ud800"}', b"[" * 100_000])
def test_what_is_no_json_is_malformed(data: bytes) -> None:
    with pytest.raises(RejectedError) as refused:
        decode_question(data, FIELDS, PROFILES)
    assert refused.value.reason in ("malformed_body", "invalid_question")


def test_numbers_beyond_float64_are_refused() -> None:
    for number in (b"1e999", b"-1e999", b"1" * 400):
        with pytest.raises(RejectedError, match="min_score"):
            decode_question(b'{"text": "a", "min_score": ' + number + b"}", FIELDS, PROFILES)


OPTIONS = st.sampled_from([*QuestionBody.__struct_fields__, "brand", "price", "profile", "weight", "field", "x"])
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False) | st.text(max_size=6)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(OPTIONS, inner, max_size=3), max_leaves=12
)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(OPTIONS, ANY_JSON, max_size=4) | ANY_JSON)
def test_any_json_is_a_question_or_rejected(body: Any) -> None:
    try:
        question = decode_question(msgspec.json.encode(body), FIELDS, PROFILES)
    except RejectedError as error:
        assert error.reason in ("invalid_question", "invalid_filter")
    else:
        assert len(question.digest()) == 8


SAME: dict[str, Any] = {"text": "shoe", "products": ["p"], "filter": {"brand": "a"}, "rank": "popular"}


@pytest.mark.parametrize(
    "change",
    [
        {"text": "shoes"}, {"match": "any"}, {"filter": {"brand": "b"}}, {"sort": "price"}, {"rank": {"sales": 1}},
        {"fusion": "linear"}, {"weights": {"look": 2}}, {"products": ["q"]}, {"products": [{"id": "p", "weight": 2}]},
        {"min_score": 0.1}, {"diversity": {"mmr": 0.5}}, {"diversity": {"max_per": {"brand": 1}}},
        {"images": [PHOTO]}, {"vectors": [[1, 2]]}, {"sort": "-price"},
    ],
)  # fmt: skip
def test_another_question_has_another_digest(change: dict[str, Any]) -> None:
    assert asked(**{**SAME, **change}).digest() != asked(**SAME).digest()


@pytest.mark.parametrize(
    "change",
    [{"limit": 50}, {"cursor": "x"}, {"explain": True}, {"facets": ["brand"]}, {"offset": 3}, {"generation": "g"}],
)
def test_pages_of_one_question_have_one_digest(change: dict[str, Any]) -> None:
    assert asked(**{**SAME, **change}).digest() == asked(**SAME).digest()


def test_what_a_route_asks_besides_is_part_of_the_digest() -> None:
    question = asked(**SAME)
    assert len({question.digest(), question.digest(b"a"), question.digest(b"b"), question.digest(b"a", b"b")}) == 4


def test_every_field_has_a_remedy_and_an_openapi_schema() -> None:
    assert set(_REMEDIES) == set(QuestionBody.__struct_fields__)
    _, components = msgspec.json.schema_components((QuestionBody,), ref_template="#/{name}")
    assert components["QuestionBody"]["properties"]["limit"] == {
        "type": "integer", "minimum": 1, "maximum": 100, "default": 10,
    }  # fmt: skip
    assert components["QuestionBody"]["additionalProperties"] is False
