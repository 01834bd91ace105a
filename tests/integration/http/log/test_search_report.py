"""`vitrine report` over a real Kafka: a day with searches and clicks, others without, and a log that is not there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from cli.main import main
from jobs.full_index.build.ranking import read_lessons, with_ranking
from messaging.admin import describe, ensure_topics
from messaging.producer import now_ms
from schemas.topics import CLICKS, DAY_MS, SEARCH_LOG
from search_report.reading import SearchLogDays, day_of, read_report
from serving.blender.reports import Reports
from serving.searcher.service import SearcherService
from tests.support.serving.generations import build_generation, settings_in
from tests.support.serving.http_world import over, serving
from tests.support.shoppers.meaning import stocked
from tests.support.shoppers.search_log import NOON_MS
from tests.system import system_settings

pytestmark = pytest.mark.integration


def test_clicks_are_joined_to_their_searches_day_by_day(logged_kafka: str) -> None:
    report = read_report(logged_kafka, 4, now_ms())
    first, second = report.days[0], report.days[1]
    assert [day.day for day in report.days] == sorted(day.day for day in report.days)
    assert (first.searches, first.clicks, first.clicks_not_shown) == (4, 2, 1)
    assert first.clicked_share == pytest.approx(2 / 4)
    assert first.mrr == pytest.approx((1 / 2 + 1) / 2)
    assert first.without_result == pytest.approx(1 / 4)
    assert first.products == 4
    assert [(each.words, each.searches) for each in first.top_words] == [("red boot", 2), ("scarf", 1), ("zebra", 1)]
    assert [each.words for each in first.top_words_without_result] == ["zebra"]
    assert (second.searches, second.clicks, second.mrr) == (1, 1, 1.0)
    assert report.unreadable == 1


def test_build_reads_what_was_clicked_and_leaves_too_few_clicks(
    logged_kafka: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = system_settings(tmp_path, kafka_bootstrap=logged_kafka, search_log=True)
    old = read_lessons(settings, lambda generation: generation == "live", NOON_MS)
    # Of the answers of that day two have two products; one of them was clicked, at its second.
    assert (old.values.tolist(), old.positions.tolist()) == ([0.0, 1.0, 0.0, 0.0], [1, 2, 1, 2])
    log = SearchLogDays(logged_kafka)
    assert log.goes_back_beyond(day_of(now_ms())) and not log.goes_back_beyond(day_of(NOON_MS))
    generation = build_generation(settings_in(tmp_path), stocked(10), [0, 0])
    with caplog.at_level("INFO"):
        assert with_ranking(tmp_path, generation, settings) == generation
    assert "ranking_left_out" in caplog.text


def test_command_prints_tables_and_json(
    logged_kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"HOME": str(tmp_path), "KAFKA_BOOTSTRAP": logged_kafka, "SEARCH_LOG": "true"}.items():
        monkeypatch.setenv(f"VITRINE_{name}", value)
    assert main(["report", "--days", "4"]) == 0
    printed = capsys.readouterr()
    for text in ("CTR", "50.0%", "0.750", "red boot (2)", "zebra (1)", "1 clicks are not counted", "not readable"):
        assert text in printed.out
    assert printed.err == ""
    monkeypatch.setenv("VITRINE_SEARCH_LOG", "false")
    assert main(["report", "--days", "4", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["days"][0]["clicks"] == 2
    assert "nothing more is logged" in printed.err
    assert main(["report", "--days", "0"]) == 2


@pytest.mark.anyio
async def test_report_over_http_is_that_of_the_command(logged_kafka: str, searcher: SearcherService) -> None:
    async with serving(over(searcher), reports=Reports(logged_kafka)) as client:
        answer = await client.get("/v1/report", params={"days": 4})
    assert answer.status_code == 200, answer.text
    report = await asyncio.to_thread(read_report, logged_kafka, 4, now_ms())
    assert answer.json()["days"] == msgspec.to_builtins(report.days)
    assert answer.json()["unreadable"] == 1


def test_retention_follows_the_setting_also_of_topics_that_are_there(logged_kafka: str, tmp_path: Path) -> None:
    settings = system_settings(tmp_path, kafka_bootstrap=logged_kafka, search_log=True, search_log_days=3)
    assert ensure_topics(settings) == []
    assert retention_days(logged_kafka, SEARCH_LOG) == 3
    ensure_topics(system_settings(tmp_path, kafka_bootstrap=logged_kafka, search_log=True))
    assert retention_days(logged_kafka, CLICKS) == 30
    assert set(describe(logged_kafka, [SEARCH_LOG, CLICKS])) == {SEARCH_LOG, CLICKS}


def retention_days(kafka: str, topic: str) -> float:
    from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

    client = AdminClient({"bootstrap.servers": kafka})
    (future,) = client.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return int(future.result()["retention.ms"].value) / DAY_MS
