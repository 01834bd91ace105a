"""Suggestions of several shards: added up, and both words and names have their places."""

from __future__ import annotations

from schemas.search_pb2 import SearchResponse, Suggestion
from serving.broker.suggesting import merged_suggestions


def shard(*said: tuple[str, int, str]) -> SearchResponse:
    return SearchResponse(
        suggestions=[Suggestion(text=text, products=number, field=field) for text, number, field in said]
    )


def shown(answers: list[SearchResponse], limit: int) -> list[tuple[str, int, str]]:
    return [(each.text, each.products, each.field) for each in merged_suggestions(answers, limit)]


def test_counts_of_shards_add_up_by_text_and_field() -> None:
    one = shard(("nord", 3, ""), ("Nord", 2, "brand"), ("Nord hat", 1, "title"))
    other = shard(("nord", 1, ""), ("norm", 2, ""), ("Nord", 1, "brand"), ("Nord", 1, "title"))
    assert shown([one, other], 10) == [
        ("nord", 4, ""), ("norm", 2, ""), ("Nord", 3, "brand"), ("Nord", 1, "title"), ("Nord hat", 1, "title"),
    ]  # fmt: skip


def test_words_and_names_have_half_of_the_places_each_and_what_the_others_leave() -> None:
    words = [(f"w{number}", 9 - number, "") for number in range(6)]
    values = [(f"v{number}", 9 - number, "brand") for number in range(6)]
    titles = [(f"t{number}", 9 - number, "title") for number in range(6)]
    assert [each[0] for each in shown([shard(*words, *values, *titles)], 8)] == [
        "w0",
        "w1",
        "w2",
        "w3",
        "v0",
        "v1",
        "t0",
        "t1",
    ]
    assert [each[0] for each in shown([shard(*words[:1], *values, *titles[:1])], 4)] == ["w0", "v0", "v1", "t0"]
    assert [each[0] for each in shown([shard(*words, *titles[:1])], 4)] == ["w0", "w1", "w2", "t0"]
    assert [each[0] for each in shown([shard(*words, *values)], 1)] == ["w0"]
    assert [each[0] for each in shown([shard(*values)], 1)] == ["v0"]
