"""Publishing a full index: checks, the move of the alias, the swap watched to its end, old generations removed.

What fails leaves serving what served. Knows no Flink: any machine that sees
the folder of generations, Kafka and the broker can publish.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from disk.locks import locked
from generations.broker import broker_of
from generations.checks.overlap import UnservedAnswers
from generations.checks.reach import OpenDeltas
from generations.checks.run import Checks, Thresholds
from generations.folder import Generations
from generations.move import move
from generations.swap import Say
from messaging.consumer import PartitionsReader
from schemas.access.objects import FullIndexes
from schemas.access.tier import TierAccess
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.generation import Generation
from schemas.full_index.publish_report import (
    LAST_PUBLISH,
    PUBLISH,
    PublishReport,
    decode_publish_report,
    encode_publish_report,
)
from schemas.settings import Settings
from schemas.topics import INDEX_DELTAS

log = logging.getLogger(__name__)

WAIT_S = 120.0
_LOCK = ".publish.lock"


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes into one folder of generations. `tier`: whose broker serves them; `keep`: so many stay.

    `say`: gets a line as each step ends.
    """

    generations: Generations
    tier: TierAccess
    checks: Checks
    keep: int
    say: Say = print

    @classmethod
    def from_settings(
        cls, settings: Settings, answers: UnservedAnswers, *, say: Say = print, open_deltas: OpenDeltas | None = None
    ) -> Publisher:
        """`answers`: of a generation that nobody serves yet. `open_deltas`: by default from Kafka."""
        checks = Checks(
            Thresholds.from_settings(settings),
            answers,
            open_deltas or partial(PartitionsReader, settings.kafka, INDEX_DELTAS),
            settings.layout.recorded_queries,
        )
        generations = Generations(settings.layout.generations)
        return cls(generations, settings.tier, checks, settings.keep_generations, say)

    def publish(
        self,
        name: str,
        *,
        wait_s: float = WAIT_S,
        force: bool = False,
        prepare: Callable[[Generation], None] = lambda _: None,
    ) -> PublishReport:
        """Lets `name` serve if it passes the checks, or by force; the report says how that ended, and is kept.

        `prepare`: called before the alias moves, say to start searchers for
        more shards. Raises `OperatorError` when there is no such generation,
        another publication is under way, or nothing says what the generation
        is, forced or not.
        """
        generations, say = self.generations, self.say
        with _lock(generations), broker_of(self.tier) as broker:
            seen = _version(generations)
            checks, generation = self.checks.run(generations, name, broker, say)
            failed = [check.name for check in checks if not check.passed]
            problem = ""
            if generation is not None and (force or not failed):
                problem = move(generations, generation, broker, wait_s, say, prepare, seen)
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
                _remove_old(generations, self.keep, say)
            _keep(generations, report)
            log.info(
                "event=published generation=%s passed=%s failed=%s problem=%s", name, passed, ",".join(failed), problem
            )
            return report

    def check(self, name: str) -> PublishReport:
        """The checks alone: `passed` says that all of them did. Nothing is moved, and the last report stays."""
        with broker_of(self.tier) as broker:
            checks, _ = self.checks.run(self.generations, name, broker, self.say)
        passed = all(each.passed for each in checks)
        return PublishReport(name=name, passed=passed, finished_ms=time.time_ns() // 1_000_000, checks=checks)


def last_report(place: FullIndexes) -> PublishReport | None:
    """Of the last publication; None before the first. Raises `CorruptError`, `OSError`."""
    files = Generations(place).files
    try:
        return decode_publish_report(files.read(LAST_PUBLISH))
    except FileNotFoundError:
        return None
    except CorruptError as error:
        raise CorruptError(f"{files.where}/{LAST_PUBLISH}: {error}; the next publication writes it anew") from error


def _version(generations: Generations) -> int | None:
    """The alias's; None where it cannot be read, which this publication mends."""
    try:
        alias = generations.alias()
    except CorruptError:
        return None
    return 0 if alias is None else alias.version


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
    generations.files.write(LAST_PUBLISH, data)
    if report.name in generations.names():
        generations.files.write(f"{report.name}/{PUBLISH}", data)


@contextmanager
def _lock(generations: Generations) -> Iterator[None]:
    """One publication of a machine at a time; goes with the process. Apart from the lock of moves, which lasts only
    for a move. Of two on two machines the alias's version lets one through."""
    folder = generations.folder
    if not (folder.is_dir() or generations.files.copied):
        raise OperatorError(f"{generations.where} holds no generations; vitrine build makes one")
    folder.mkdir(parents=True, exist_ok=True)
    under_way = OperatorError(f"another publication is under way in {generations.where}: wait for it")
    with locked(folder / _LOCK, otherwise=under_way):
        yield
