"""What is read of an ordinary query string at once is what it means as a question's options."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from schemas.errors import RejectedError
from schemas.query.body import DEFAULT_LIMIT
from schemas.query.fields import Fields
from schemas.query.question import Question, question_from_parameters
from serving.blender.http.routes.direct import plain_options

WORDS = [
    *("limit=5", "limit=100", "limit=101", "limit=0", "limit=05", "limit=+5", "limit=5.0", "limit=", "limit"),
    *("generation=live", "generation=", "generation=a%2Db", "generation=" + "g" * 65, "generation=g20261101T000000-a"),
    *("LIMIT=5", "limit=%35", "limit=7;generation=x", "generation=a b", "other=1", "filter=brand:Acme", ""),
]


def request_of(query: str) -> Request:
    return Request({"type": "http", "headers": [], "query_string": query.encode()})


def as_options(query: str) -> Question | None:
    try:
        return question_from_parameters(request_of(query).query_params.multi_items(), Fields(), {})
    except RejectedError:
        return None


@given(st.lists(st.sampled_from(WORDS), max_size=3).map("&".join))
def test_every_ordinary_query_string_means_the_same_both_ways(query: str) -> None:
    plain = plain_options(request_of(query))
    if plain is not None:
        assert as_options(query) == Question(limit=plain[0], generation=plain[1])


def test_ordinary_parameters_are_read_at_once_and_others_are_not() -> None:
    assert plain_options(request_of("limit=20&generation=live")) == (20, "live")
    assert plain_options(request_of("")) == (DEFAULT_LIMIT, "")
    assert plain_options(request_of("limit=0")) is None
    assert plain_options(request_of("limit=5&filter=brand:Acme")) is None
