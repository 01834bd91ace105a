"""The report over HTTP: as the command prints it, off where there is no log, and no search waits for it."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from schemas.access.kafka import Kafka
from schemas.errors import OperatorError, TransientError
from search_report.reading import SearchReport
from serving.blender.reports import Reports
from serving.searcher.service import SearcherService
from tests.support.serving.http_world import error, ids, over, post_vector, ready, serving
from tests.support.shoppers.search_log import NOON_MS, report_from_memory

pytestmark = pytest.mark.anyio

NOWHERE = "127.0.0.1:1"


def dies(_kafka: Kafka, days: int, now_ms: int) -> SearchReport:
    os._exit(1)


def hangs(_kafka: Kafka, days: int, now_ms: int) -> SearchReport:
    time.sleep(600)
    raise AssertionError("nobody waits for it")


def has_no_topics(_kafka: Kafka, days: int, now_ms: int) -> SearchReport:
    raise OperatorError("there is no search log: set VITRINE_SEARCH_LOG=true")


def kafka_is_away(_kafka: Kafka, days: int, now_ms: int) -> SearchReport:
    raise TransientError("kafka_unavailable", "no answer")


async def test_figures_by_day_come_back_and_are_kept_for_a_moment(searcher: SearcherService) -> None:
    async with serving(over(searcher), reports=Reports(NOWHERE, read=report_from_memory)) as client:
        answer = (await client.get("/v1/report", params={"days": 5})).json()
        first = answer["days"][1]
        assert len(answer["days"]) == 5
        assert first["day"] == time.strftime("%Y-%m-%d", time.gmtime(NOON_MS / 1000))
        assert (first["searches"], first["clicks"], first["clicked_share"]) == (4, 2, 0.5)
        assert [each["words"] for each in first["top_words_without_result"]] == ["zebra"]
        assert answer["unreadable"] == 0
        again = [await client.get("/v1/report", params={"days": 5}) for _ in range(3)]
        assert {each.json()["at"] for each in again} == {answer["at"]}
        for days in ("0", "32", "x"):
            assert error(await client.get("/v1/report", params={"days": days})) == (422, "invalid_request")


async def test_report_is_off_where_the_log_is(searcher: SearcherService) -> None:
    async with serving(over(searcher)) as client:
        assert error(await client.get("/v1/report")) == (404, "search_log_off")
    async with serving(over(searcher), reports=Reports(NOWHERE, read=has_no_topics)) as client:
        assert error(await client.get("/v1/report")) == (404, "search_log_off")


async def test_reading_that_fails_is_said_and_tried_again(searcher: SearcherService) -> None:
    for read, reason in ((dies, "internal"), (kafka_is_away, "kafka_unavailable")):
        async with serving(over(searcher), reports=Reports(NOWHERE, read=read)) as client:
            for _ in range(2):
                assert error(await client.get("/v1/report")) == (503, reason)


async def test_searches_go_on_while_a_log_is_read_that_takes_for_ever(searcher: SearcherService) -> None:
    reports = Reports(NOWHERE, read=hangs, wait_s=2.0)
    async with serving(over(searcher), reports=reports) as client:
        await ready(client)
        asked = [asyncio.create_task(client.get("/v1/report")) for _ in range(3)]
        assert ids(await post_vector(client))[0] == "lamp"
        for answer in await asyncio.gather(*asked):
            assert error(answer) == (504, "overdue")
            assert answer.headers["retry-after"] == "1"
