"""What an order can be learned from: answers with what was clicked of them, as the numbers that a ranking knew.

`LessonsOf` takes them in any order and number; of more than it keeps, those are kept whose random ids are the
smallest, a uniform sample that does not depend on how they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.ranking.features import Row, matrix, row
from indexing.ranking.lessons import Lessons, starts_of
from schemas.query.body import Weights
from schemas.query.fields import MEASURES, Values
from schemas.query.rank import RankProfile, scored
from schemas.query.relevance import Rung, bounded_look, bounded_words, relevance
from schemas.search_log import ClickKind, ClickRecord, SearchRecord, ShownProduct
from schemas.topics import DAY_MS
from search_report.figures import clicks_on

MOST_A_DAY = 20_000
"""Answers of a day that are kept."""
VALUES: Mapping[ClickKind, float] = {"click": 1.0, "cart": 2.0, "purchase": 4.0}
"""What a shopper did is worth so many clicks; of several the most."""
RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class _Answer:
    """In arrays, which take a tenth of the room of numbers: an answer may show a hundred products.

    `declared` (orders, n): what each declared order scores them with.
    """

    search_id: str
    day: int
    positions: NDArray[np.int64]
    rows: NDArray[np.float32]
    values: NDArray[np.float32]
    declared: NDArray[np.float64]


class LessonsOf:
    """Answers of one day, or of several. `profiles`: declared ones, to be compared with.

    Of the profiles those are left out that rank by more than price, sales and praise: the log does not have it.
    """

    def __init__(self, profiles: Mapping[str, RankProfile], most: int = MOST_A_DAY) -> None:
        known = {
            f"profile.{name}": profile
            for name, profile in sorted(profiles.items())
            if profile.measures and all(field.name in MEASURES for field, _ in profile.measures)
        }
        self._declared = {RELEVANCE: RankProfile(), **known}
        self._most = most
        self._answers: list[_Answer] = []

    def add(self, search: SearchRecord, clicks: Iterable[ClickRecord] = ()) -> None:
        """One answer with the clicks that name it; in the order of a field, or of a single product, it says nothing."""
        if search.sort or len(search.shown) < 2:
            return
        values: dict[int, float] = {}
        for click in clicks_on(search, clicks)[0]:
            values[click.position] = max(values.get(click.position, 0.0), VALUES[click.kind])
        shown = sorted(search.shown, key=lambda each: each.position)
        self._answers.append(
            _Answer(
                search.search_id,
                search.at_ms // DAY_MS,
                np.array([each.position for each in shown], np.int64),
                matrix([_row(each) for each in shown]),
                np.array([values.get(each.position, 0.0) for each in shown], np.float32),
                np.array(self._scores(search, shown), np.float64),
            )
        )
        if len(self._answers) >= 2 * self._most:
            self._thin()

    def _thin(self) -> None:
        self._answers.sort(key=lambda each: each.search_id)
        del self._answers[self._most :]

    def _scores(self, search: SearchRecord, shown: list[ShownProduct]) -> list[list[float]]:
        """Of every declared order, what it scores them with."""
        by_meaning = any(each.meaning_rank is not None for each in shown)
        by_look = any(kind in search.kinds for kind in ("photo", "vector", "product"))
        by_words = "words" in search.kinds
        scores: list[list[float]] = [[] for _ in self._declared]
        for each in shown:
            look, words, meaning = _rungs(each)
            values = _values(each)
            for profile, found in zip(self._declared.values(), scores, strict=True):
                if by_meaning:
                    fit = bounded_look(meaning) + (0.0 if words is None else bounded_words(words.score))
                else:
                    fit = relevance(*(look, words, Weights(), "rrf"), by_look=by_look, by_words=by_words, bounded=True)
                found.append(scored(profile, fit, values, 0.0))
        return scores

    def lessons(self) -> Lessons:
        """Of all that are kept, by day, and of a day by their ids."""
        self._thin()
        answers = sorted(self._answers, key=lambda each: (each.day, each.search_id))
        whole = np.concatenate([np.zeros((len(self._declared), 0)), *(each.declared for each in answers)], axis=1)
        return Lessons(
            np.concatenate([matrix([]), *(each.rows for each in answers)]),
            np.concatenate([np.zeros(0, np.int64), *(each.positions for each in answers)]),
            np.concatenate([np.zeros(0, np.float32), *(each.values for each in answers)]),
            starts_of(np.array([len(each.rows) for each in answers], np.intp)),
            np.array([each.day for each in answers], np.int64),
            dict(zip(self._declared, whole, strict=True)),
        )


def joined(parts: list[Lessons]) -> Lessons:
    """The lessons of several days, in their order, one after the other; of one declaration each. At least one."""
    return Lessons(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.values for part in parts]),
        starts_of(np.concatenate([np.diff(part.starts) for part in parts])),
        np.concatenate([part.days for part in parts]),
        {name: np.concatenate([part.declared[name] for part in parts]) for name in parts[0].declared},
    )


def _rungs(shown: ShownProduct) -> tuple[Rung | None, Rung | None, Rung | None]:
    return (
        _rung(shown.look_score, shown.look_rank),
        _rung(shown.words_score, shown.words_rank),
        _rung(shown.meaning_score, shown.meaning_rank),
    )


def _rung(score: float | None, rank: int | None) -> Rung | None:
    return None if score is None or rank is None else Rung(score, rank)


def _values(shown: ShownProduct) -> Values:
    figures = shown.price, shown.sales, shown.praise
    return {
        name: float("nan") if value is None else float(value) for name, value in zip(MEASURES, figures, strict=True)
    }


def _row(shown: ShownProduct) -> Row:
    values = _values(shown)
    return row(*_rungs(shown), *(figure for name in MEASURES if isinstance(figure := values[name], float)))
