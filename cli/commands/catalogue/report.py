"""Report by day what shoppers searched for, what they found, and what they clicked.

Reads the search log, which there is where the setting search_log is on. Days
are UTC. The columns are explained in docs/operations.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import msgspec

from cli.tables import table
from messaging.producer import now_ms
from schemas.errors import OperatorError
from schemas.settings import load_settings
from search_report.figures import DayReport, WordsCount
from search_report.reading import SearchReport, read_report

NAME = "report"

_DAYS = 7
_WORDS = 5
"""Shown of a day; JSON has more."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--days", type=int, default=_DAYS, metavar="N", help=f"the last N days, today included (default {_DAYS})"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    if not 1 <= arguments.days <= 3650:
        raise OperatorError(f"--days {arguments.days}: give 1 to 3650")
    report = read_report(settings.kafka, arguments.days, now_ms())
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        print(as_text(report))
    if not settings.search_log:
        print("vitrine: search_log is off, so nothing more is logged (VITRINE_SEARCH_LOG=true)", file=sys.stderr)
    return 0


def as_text(report: SearchReport) -> str:
    """The report for a person."""
    if report.empty:
        return f"no search was logged in the last {len(report.days)} days; --days N looks further back"
    names = (
        *("day", "searches", "pages", "photo", "words", "both", "nothing", "clicks", "carts", "bought", "CTR"),
        *("MRR", "position", "p50 ms", "p95 ms", "products", "effective"),
    )
    parts = [table(names, [_row(day) for day in report.days])]
    words = [
        (day.day, _words(day.top_words), _words(day.top_words_without_result))
        for day in report.days
        if day.top_words or day.top_words_without_result
    ]
    if words:
        parts.append(table(("day", "most asked for", "most asked for in vain"), words))
    if any(day.sampled for day in report.days):
        parts.append("products and words of the largest days are a sample of all there were")
    if strange := sum(day.clicks_not_shown for day in report.days):
        parts.append(f"{strange} clicks are not counted: their answers had not shown that product at that position")
    if report.unreadable:
        parts.append(f"{report.unreadable} records are not readable; somebody else writes to the topics")
    return "\n\n".join(parts)


def _row(day: DayReport) -> tuple[str, ...]:
    return (
        day.day,
        str(day.searches),
        str(day.further_pages),
        *(_percent(part) for part in (day.with_photo, day.with_words, day.with_both, day.without_result)),
        *(str(number) for number in (day.clicks, day.carts, day.purchases)),
        _percent(day.clicked_share),
        _number(day.mrr, 3),
        _number(day.mean_position, 1),
        _number(day.took_p50_ms, 1),
        _number(day.took_p95_ms, 1),
        str(day.products),
        _number(day.effective_products, 1),
    )


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.1f}%"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _words(words: Sequence[WordsCount]) -> str:
    return ", ".join(f"{each.words} ({each.searches})" for each in words[:_WORDS]) or "-"
