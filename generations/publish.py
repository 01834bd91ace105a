"""Publishing a full index: checks, the move of the alias, the swap watched to its end, old generations removed.

What fails leaves serving what served. Knows no Flink: any machine that sees
the folder of generations, Kafka and the broker can publish.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from disk.durable import write_durably
from disk.locks import locked
from generations.broker import Broker, broker_of
from generations.checks import (
    COUNT_SERVING,
    OVERLAP,
    check_count_catalogue,
    check_count_serving,
    check_digest,
    check_files,
    check_recall,
    no_broker,
)
from generations.folder import Generations
from generations.overlap import UnservedAnswers, check_overlap
from generations.reach import OpenDeltas, check_deltas
from generations.swap import Say, wait_until_serving
from messaging.consumer import PartitionsReader
from schemas.errors import CorruptError, OperatorError, TransientError
from schemas.generation import LIVE, Alias, Generation
from schemas.publish_report import (
    LAST_PUBLISH,
    PUBLISH,
    PublishCheck,
    PublishReport,
    decode_publish_report,
    encode_publish_report,
)
from schemas.settings import Settings
from schemas.topics import INDEX_DELTAS

log = logging.getLogger(__name__)

WAIT_S = 120.0
_BACK_WITHIN_S = 15.0
_LOCK = ".publish.lock"


def publish(
    settings: Settings,
    name: str,
    answers: UnservedAnswers,
    *,
    wait_s: float = WAIT_S,
    force: bool = False,
    say: Say = print,
    prepare: Callable[[Generation], None] = lambda _: None,
    open_deltas: OpenDeltas | None = None,
) -> PublishReport:
    """Lets `name` serve if it passes the checks, or by force; the report says how that ended, and is kept.

    `prepare`: called before the alias moves, say to start searchers for more
    shards. `answers`: of the generation while nobody serves it. `open_deltas`:
    reads index-deltas; by default from Kafka. Raises
    `OperatorError` when there is no such generation, another publication is
    under way, or nothing says what the generation is, forced or not.
    """
    generations = Generations(settings.generations_folder)
    with _lock(generations.folder), broker_of(settings) as broker:
        checks, generation = _checks(settings, generations, name, answers, broker, open_deltas, say)
        failed = [check.name for check in checks if not check.passed]
        problem = ""
        if generation is not None and (force or not failed):
            problem = _move(generations, generation, broker, wait_s, say, prepare)
            passed = not problem
        else:
            passed = False
        report = PublishReport(
            name=name,
            passed=passed,
            finished_ms=time.time_ns() // 1_000_000,
            checks=checks,
            problem=problem,
            forced=force and bool(failed),
        )
        if passed:
            _remove_old(generations, settings.keep_generations, say)
        _keep(generations, report)
        log.info(
            "event=published generation=%s passed=%s failed=%s problem=%s", name, passed, ",".join(failed), problem
        )
        return report


def check(
    settings: Settings, name: str, answers: UnservedAnswers, *, say: Say = print, open_deltas: OpenDeltas | None = None
) -> PublishReport:
    """The checks alone: `passed` says that all of them did. Nothing is moved, and the last report stays."""
    generations = Generations(settings.generations_folder)
    with broker_of(settings) as broker:
        checks, _ = _checks(settings, generations, name, answers, broker, open_deltas, say)
    passed = all(each.passed for each in checks)
    return PublishReport(name=name, passed=passed, finished_ms=time.time_ns() // 1_000_000, checks=checks)


def last_report(folder: Path) -> PublishReport | None:
    """Of the last publication; None before the first. Raises `CorruptError`."""
    try:
        return decode_publish_report((folder / LAST_PUBLISH).read_bytes())
    except FileNotFoundError:
        return None
    except CorruptError as error:
        raise CorruptError(f"{folder / LAST_PUBLISH}: {error}; the next publication writes it anew") from error


def _checks(
    settings: Settings,
    generations: Generations,
    name: str,
    answers: UnservedAnswers,
    broker: Broker,
    open_deltas: OpenDeltas | None,
    say: Say,
) -> tuple[list[PublishCheck], Generation | None]:
    """All checks in order, each said as it ends; those that need a generation are left out where that is unknown."""
    checks: list[PublishCheck] = []

    def done(each: PublishCheck) -> None:
        checks.append(each)
        say(f"{each.name}: {'passed' if each.passed else 'FAILED'}, {each.detail}")

    files, generation = check_files(generations, name)
    done(files)
    if generation is None:
        return checks, None
    deltas = open_deltas or partial(PartitionsReader, settings.kafka, INDEX_DELTAS)
    done(check_digest(generation))
    done(check_count_catalogue(generation, settings.publish_min_of_catalogue))
    try:
        status = broker.status()
    except TransientError as error:
        silent = str(error)
        done(no_broker(COUNT_SERVING, silent, settings.publish_min_of_serving))
    else:
        silent = ""
        done(check_count_serving(generation, status, settings.publish_min_of_serving))
    done(check_recall(generation, settings.publish_min_recall))
    reach = check_deltas(generation, deltas)
    done(reach)
    if silent:
        done(no_broker(OVERLAP, silent, settings.publish_min_overlap))
    elif not (files.passed and reach.passed):
        detail = "not compared: its files and the deltas since its cut must be there first"
        done(PublishCheck(name=OVERLAP, passed=False, threshold=settings.publish_min_overlap, detail=detail))
    else:
        done(check_overlap(settings, generation, answers, broker, deltas))
    return checks, generation


def _move(
    generations: Generations,
    generation: Generation,
    broker: Broker,
    wait_s: float,
    say: Say,
    prepare: Callable[[Generation], None],
) -> str:
    """Moves the alias and waits for the broker; takes the move back when that fails. Empty, or why it failed."""
    name = generation.name
    try:
        serving = broker.status().serving
        before = _alias(generations, serving)
    except TransientError as error:
        # Only by force: then there is nobody to wait for, and whoever starts finds the alias.
        generations.serve(name)
        say(f"the alias names {name}; nobody serves yet ({error})")
        return ""
    prepare(generation)
    if before is None or before.serving != name or serving != name:
        # Also where the alias names it already and it does not serve: with a move searchers try it again at once.
        generations.serve(name)
    say(f"the alias names {name}; searchers load it beside what serves")
    problem = wait_until_serving(broker, name, len(generation.shards), wait_s, say)
    if not problem:
        say(f"{name} serves")
        return ""
    if before is not None and before.serving == name:
        return f"{problem}; the alias named it before and still does: vitrine alias --rollback goes back"
    generations.take_back(name, before)
    back = LIVE if before is None else before.serving
    say(f"taking the move back, to {back}: {problem}")
    shards = 0 if back == LIVE else len(generations.read(back).shards)
    left = wait_until_serving(broker, back, shards, _BACK_WITHIN_S, say, give_up_on_failure=False)
    return f"{problem}; the alias names {back} again" + (f", but {left}" if left else "")


def _alias(generations: Generations, serving: str) -> Alias | None:
    """Where it stands. Of one that cannot be read, and that this very move mends, `serving` is what is known."""
    try:
        return generations.alias()
    except CorruptError as error:
        log.warning("event=alias_unreadable next=set_anew serving=%s problem=%s", serving, error)
        return Alias(version=0, serving=serving or LIVE)


def _remove_old(generations: Generations, keep: int, say: Say) -> None:
    try:
        removed = generations.remove_old(keep)
    except OSError as error:
        # The publication stands; the next one tries again.
        log.warning("event=old_generations_left problem=%s", error)
        say(f"old generations could not be removed: {error}")
        return
    for name in removed:
        say(f"removed {name}: {keep} generations are kept")


def _keep(generations: Generations, report: PublishReport) -> None:
    data = encode_publish_report(report)
    write_durably(generations.folder / LAST_PUBLISH, data)
    folder = generations.folder / report.name
    if folder.is_dir():
        write_durably(folder / PUBLISH, data)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One publication at a time; goes with the process. Apart from the lock of moves, which lasts only for a move."""
    if not folder.is_dir():
        raise OperatorError(f"{folder} holds no generations; vitrine build makes one")
    under_way = OperatorError(f"another publication is under way in {folder}: wait for it")
    with locked(folder / _LOCK, otherwise=under_way):
        yield
