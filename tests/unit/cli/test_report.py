"""`vitrine report` as text, and what it says where there is nothing to report."""

from __future__ import annotations

import pytest

from cli.commands.catalogue.report import as_text
from schemas.errors import OperatorError
from schemas.search_log import SearchRecord
from search_report import reading
from search_report.figures import DayFigures
from search_report.reading import SearchReport, read_report


def test_log_that_was_never_on_says_how_to_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "describe", lambda _kafka, _names: {})
    with pytest.raises(OperatorError, match="VITRINE_SEARCH_LOG=true, then vitrine start"):
        read_report("127.0.0.1:1", 7, 1_767_261_600_000)


def test_days_without_a_search_say_so() -> None:
    days = [DayFigures().report(f"2026-01-0{number}") for number in (1, 2)]
    assert as_text(SearchReport(days, 0)) == ("no search was logged in the last 2 days; --days N looks further back")


def test_day_without_clicks_has_dashes_and_no_words_no_table_of_them() -> None:
    figures = DayFigures()
    figures.add(
        SearchRecord(search_id="", at_ms=1, kinds=("photo",), generation="live", watermark_ms=1, took_ms=2.0, shown=())
    )
    text = as_text(SearchReport([figures.report("2026-01-01")], 2))
    head, row = text.splitlines()[:2]
    assert len(head.split()) - 2 == len(row.split())  # "p50 ms" and "p95 ms" are two words each
    assert row.split()[:8] == ["2026-01-01", "1", "0", "100.0%", "0.0%", "0.0%", "100.0%", "0"]
    assert "most asked for" not in text
    assert "2 records are not readable" in text
