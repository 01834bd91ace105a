"""The search log in a real Kafka: every answer as it was told, its clicks beside it, and nothing of who asked."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from messaging.consumer import Message
from messaging.ranges import read_all
from schemas.search_log import KINDS, SearchRecord, decode_click, decode_search
from schemas.topics import CLICKS, SEARCH_LOG, SEARCH_LOG_PARTITIONS
from tests.support.serving.http_world import ids, picture
from tests.support.serving.logging_world import ask_every_way, counted, logging_blender
from vitrine_client import AsyncVitrine, Refused

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


def _read(kafka: str, topic: str) -> list[Message]:
    return [message for partition in range(SEARCH_LOG_PARTITIONS) for message in read_all(kafka, topic, partition)]


def searches(kafka: str) -> dict[str, SearchRecord]:
    found = [message for message in _read(kafka, SEARCH_LOG) if len(message.key or b"") == 32]  # one there is nobody's
    return {(record := decode_search(message.value or b"")).search_id: record for message in found}


async def logged(kafka: str, *answers: httpx.Response) -> list[SearchRecord]:
    """The records of these answers, once all are there."""
    wanted = [answer.json()["search_id"] for answer in answers]
    for _ in range(200):
        found = await asyncio.to_thread(searches, kafka)
        if all(search_id in found for search_id in wanted):
            return [found[search_id] for search_id in wanted]
        await asyncio.sleep(0.05)
    raise AssertionError("the log lacks answers")


async def test_every_answer_is_in_the_log_as_it_was_told(logged_kafka: str) -> None:
    async with logging_blender(logged_kafka) as client:
        answers = await ask_every_way(client)
        batch = await client.post("/v1/search/batch", json={"queries": [{"text": "hat"}, {"text": ""}]})
        records = await logged(logged_kafka, *answers)
        assert (await logged(logged_kafka, _Part(batch.json()["answers"][0]["answer"])))[0].words == "hat"
    for answer, record in zip(answers, records, strict=True):
        told = answer.json()
        shown = [(each.product_id, each.score, each.price, each.sales) for each in record.shown]
        assert shown == [(each["product_id"], each["score"], each["price"], each["sales"]) for each in told["results"]]
        assert [each.position for each in record.shown] == [1, 2, 3]
        assert (record.generation, record.took_ms, record.matches) == (
            told["generation"], told["took_ms"]["total"], told.get("matches")
        )  # fmt: skip
        assert record.watermark_ms > 0
        assert set(record.kinds) <= set(KINDS)
    assert [record.kinds for record in records] == [
        ("photo",),
        ("photo", "words", "filter"),
        ("photo", "words"),
        ("vector",),
        ("vector",),
        ("product",),
        ("product",),
        ("words",),
        ("filter",),
        ("words", "product"),
    ]
    photo, both, by_words, by_filter = records[0], records[2], records[7], records[8]
    assert (photo.shown[0].look_score, photo.shown[0].look_rank) == (photo.shown[0].score, 1)
    assert (by_words.words, by_words.match) == ("Red boot", "all")
    assert (by_words.shown[0].look_rank, by_words.shown[0].words_rank) == (None, 1)
    assert any(each.look_rank and each.words_rank and each.words_score for each in both.shown)
    assert (records[1].filter, by_filter.filter, records[4].sort) == (("brand",), ("price",), "-price")
    assert records[6].rank == {"relevance": 0.1, "sales": 5.0}


class _Part:
    """An answer within a batch."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def json(self) -> Any:
        return self._answer


async def test_positions_are_counted_over_pages_and_words_are_left_out_where_the_shop_wants_it(
    logged_kafka: str,
) -> None:
    async with logging_blender(logged_kafka, words=False) as client:
        first = await client.get("/v1/search/text?q=boot&limit=4")
        cursor = first.json()["cursor"]
        second = await client.get("/v1/search/text", params={"q": "boot", "limit": 4, "cursor": cursor})
        offset = await client.get("/v1/search/text?q=boot&limit=4&offset=2")
        records = await logged(logged_kafka, first, second, offset)
    assert [(record.before, record.shown[0].position) for record in records] == [(0, 1), (4, 5), (2, 3)]
    assert [(record.words, record.kinds) for record in records] == [(None, ("words",))] * 3
    for message in await asyncio.to_thread(_read, logged_kafka, SEARCH_LOG):
        if message.key == first.json()["search_id"].encode():
            assert b"boot" not in (message.value or b"")


async def test_nothing_of_who_asks_is_in_the_log(logged_kafka: str) -> None:
    headers = {"user-agent": "a-shoppers-browser", "x-forwarded-for": "203.0.113.7", "cookie": "session=secret"}
    async with logging_blender(logged_kafka) as client:
        answer = await client.post("/v1/search/image", files={"image": ("holiday.png", picture(5))}, headers=headers)
        await logged(logged_kafka, answer)
        click = {"search_id": answer.json()["search_id"], "product_id": "p5", "position": 1}
        assert (await client.post("/v1/clicks", json=click, headers=headers)).status_code == 202
    for topic in (SEARCH_LOG, CLICKS):
        for message in await asyncio.to_thread(_read, logged_kafka, topic):
            for text in (b"browser", b"203.0.113", b"127.0.0.1", b"secret", b"holiday", b"PNG"):
                assert text not in (message.value or b"")


async def test_client_for_python_tells_of_a_click(logged_kafka: str) -> None:
    async with logging_blender(logged_kafka) as client, AsyncVitrine(str(client.base_url), trust_env=False) as vitrine:
        answer = await vitrine.search_text("hat", limit=2)
        assert answer.search_id is not None
        accepted = await vitrine.click(answer.search_id, answer.results[1].product_id, 2, "purchase")
        assert accepted.clicks == 1
        with pytest.raises(Refused, match="position"):
            await vitrine.click(answer.search_id, "p", 0)
    found = [decode_click(each.value or b"") for each in await asyncio.to_thread(_read, logged_kafka, CLICKS)]
    mine = [(each.position, each.kind) for each in found if each.search_id == answer.search_id]
    assert mine == [(2, "purchase")]


async def test_clicks_are_in_the_log_once_it_is_said_and_beside_their_search(logged_kafka: str) -> None:
    async with logging_blender(logged_kafka) as client:
        answer = await client.get("/v1/search/text?q=boot&limit=2")
        search_id, products = answer.json()["search_id"], ids(answer)
        await logged(logged_kafka, answer)
        clicks = [{"search_id": search_id, "product_id": each, "position": n} for n, each in enumerate(products, 1)]
        accepted = await client.post("/v1/clicks", json=[*clicks, {**clicks[0], "kind": "cart"}])
        assert (accepted.status_code, accepted.json()) == (202, {"clicks": 3})
        text = (await client.get("/metrics")).text
        assert counted(text, 'vitrine_blender_clicks_total{kind="click"}') == 2
    found = [each for each in await asyncio.to_thread(_read, logged_kafka, CLICKS) if each.key == search_id.encode()]
    records = [decode_click(each.value or b"") for each in found]
    assert [(each.product_id, each.position, each.kind) for each in records] == [
        (products[0], 1, "click"), (products[1], 2, "click"), (products[0], 1, "cart")
    ]  # fmt: skip
    searched = [each for each in await asyncio.to_thread(_read, logged_kafka, SEARCH_LOG) if each.key == found[0].key]
    assert {each.partition for each in found} == {each.partition for each in searched}
