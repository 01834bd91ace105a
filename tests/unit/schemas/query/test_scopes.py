"""What stays of a filter for a facet that excludes its own conditions."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.query.facets import FacetWanted
from schemas.query.fields import Fields
from schemas.query.filters import parse_filter
from schemas.query.scopes import scope_of, without_field

FIELDS = Fields()


@pytest.mark.parametrize(
    ("tree", "left"),
    [
        ({"brand": "Acme"}, None),
        ({"brand": "Acme", "colour": "red"}, {"colour": "red"}),
        ({"brand": "Acme", "colour": "red", "size": "40"}, {"colour": "red", "size": "40"}),
        ({"not": {"brand": "Acme"}, "colour": "red"}, {"colour": "red"}),
        ({"any": [{"brand": "Acme"}, {"brand": {"exists": False}}], "colour": "red"}, {"colour": "red"}),
        ({"all": [{"all": [{"brand": "Acme"}, {"colour": "red"}]}, {"brand": ["Nord"]}]}, {"colour": "red"}),
        (
            {"any": [{"brand": "Acme"}, {"colour": "red"}], "brand": "Nord"},
            {"any": [{"brand": "Acme"}, {"colour": "red"}]},
        ),
        ({"colour": "red", "price": {"lt": 5}}, {"colour": "red", "price": {"lt": 5}}),
        ({}, {}),
        ({"not": {}, "brand": "Acme"}, {"not": {}}),
    ],
)
def test_parts_that_speak_of_the_field_alone_go(tree: dict[str, Any], left: dict[str, Any] | None) -> None:
    wanted = None if left is None else parse_filter(left, FIELDS)
    assert without_field(parse_filter(tree, FIELDS), "brand") == wanted


def test_all_conditions_on_a_number_go() -> None:
    tree = parse_filter({"price": {"gte": 1, "exists": True}, "brand": "Acme"}, FIELDS)
    assert without_field(tree, "price") == parse_filter({"brand": "Acme"}, FIELDS)


def test_filter_stays_where_the_facet_does_not_exclude_it() -> None:
    tree = parse_filter({"brand": "Acme", "colour": "red"}, FIELDS)
    assert scope_of(FacetWanted("brand"), tree) is tree
    assert scope_of(FacetWanted("size", exclude_own=True), tree) is tree, "the same, so that it is counted with it"
    assert scope_of(FacetWanted("brand", exclude_own=True), tree) == parse_filter({"colour": "red"}, FIELDS)
    assert scope_of(FacetWanted("brand", exclude_own=True), None) is None
