"""The last step of a build: an order learned from what shoppers clicked, where there is a search log.

Bounded, whatever the log's size: so many days, so many answers, so much time. Nothing here fails a build: what cannot
be learned is left out, and the log says why.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from generations.folder import Generations, write_learned
from indexing.ranking import part
from indexing.ranking.lessons import Lessons
from indexing.ranking.training import too_few, train_model
from messaging.producer import now_ms
from schemas.access.objects import FullIndexes
from schemas.errors import CorruptError, OperatorError
from schemas.features.ids import features_of
from schemas.full_index.generation import Generation
from schemas.settings import Settings
from schemas.topics import DAY_MS
from search_report.lessons import LessonsOf, joined
from search_report.reading import SearchLogDays, day_of, is_there

log = logging.getLogger(__name__)

MOST_DAYS = 30
MOST_ANSWERS = 200_000
MOST_ROWS = 4_000_000
"""Products shown, in 60 bytes each."""
READ_S = 600.0
"""After so long no further day is read."""
PHASE = "ranking"


def with_ranking(folder: Path, generation: Generation, settings: Settings) -> Generation:
    """`generation`, whose files lie in `folder`, with the order learned from the search log, used or not; never raises.

    As it is where there is no log or too little in it, and where learning fails.
    """
    began = time.monotonic()
    try:
        found = _learned(folder, generation, settings)
    except Exception as error:  # an index without a learned order is whole
        log.warning("event=ranking_left_out generation=%s problem=%r", generation.name, str(error), exc_info=True)
        return generation
    if found is None:
        return generation
    took_s = {**found.took_s, PHASE: round(time.monotonic() - began, 3)}
    return msgspec.structs.replace(found, took_s=took_s)


def _learned(folder: Path, generation: Generation, settings: Settings) -> Generation | None:
    if not is_there(settings.kafka):
        return None
    given = read_lessons(settings, _of_same_look(settings.layout.generations, generation.extractor_id), now_ms())
    return with_lessons(folder, generation, given)


def with_lessons(folder: Path, generation: Generation, given: Lessons) -> Generation | None:
    """`generation` with the order learned from these, used or not; None where they are too few.

    Raises `OperatorError` where LightGBM cannot be loaded.
    """
    if problem := too_few(given):
        log.info("event=ranking_left_out generation=%s problem=%r", generation.name, problem)
        return None
    learned = train_model(given, int(generation.settings.get("seed", 0)))
    data, entry = part.written(learned, generation.extractor_id)
    write_learned(folder, entry, data)
    log.info("event=ranking_learned generation=%s answers=%d used=%s why=%r held=%s", generation.name,
             len(given.days), entry.used, entry.why, entry.held)  # fmt: skip
    return msgspec.structs.replace(generation, learned=[*generation.learned, entry])


def read_lessons(settings: Settings, wanted: Callable[[str], bool], now_ms: int) -> Lessons:
    """Of the last days, oldest first; of the log's answers those that a generation gave which is `wanted`, by its name.

    The newest days are read first, and no more of them than are needed. Raises `TransientError` when Kafka does not
    answer.
    """
    began = time.monotonic()
    days = SearchLogDays(settings.kafka)
    parts: list[Lessons] = []
    for ago in range(min(MOST_DAYS, settings.search_log_days + 1)):
        of_day = LessonsOf(settings.profiles)
        begin_ms = day_of(now_ms) - ago * DAY_MS
        for search, clicks in days.day(begin_ms):
            if wanted(search.generation):
                of_day.add(search, clicks)
        parts.append(of_day.lessons())
        answers, rows = sum(len(each.days) for each in parts), sum(len(each.rows) for each in parts)
        enough = answers >= MOST_ANSWERS or rows >= MOST_ROWS or time.monotonic() - began > READ_S
        if enough or not days.goes_back_beyond(begin_ms):
            break
    return joined(parts[::-1])


def _of_same_look(place: FullIndexes, extractor_id: str) -> Callable[[str], bool]:
    """Whether a generation's likeness is by that extractor: likeness by another one is another number.

    By another tuning of the same features it is nearly the same one: a weekly
    learning forgets no clicks. Of those that are gone, and of the index before
    the first, it is taken to be that of what serves.
    """
    generations = Generations(place)
    known: dict[str, str] = {}
    for name in generations.names():
        try:
            known[name] = features_of(generations.read(name).extractor_id)
        except (CorruptError, OperatorError) as error:
            log.warning("event=generation_unreadable generation=%s problem=%r", name, str(error))
    serving = generations.serving()
    wanted = features_of(extractor_id)
    otherwise = wanted if serving is None else features_of(serving.extractor_id)
    return lambda name: known.get(name, otherwise) == wanted
