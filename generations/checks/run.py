"""All checks of a generation, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from generations.broker import Broker
from generations.checks.contents import (
    COUNT_SERVING,
    OVERLAP,
    check_count_catalogue,
    check_count_serving,
    check_digest,
    check_files,
    check_recall,
    no_broker,
)
from generations.checks.overlap import UnservedAnswers, check_overlap
from generations.checks.reach import OpenDeltas, check_deltas
from generations.folder import Generations
from schemas.errors import TransientError
from schemas.full_index.generation import Generation
from schemas.full_index.publish_report import PublishCheck
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The least that passes, each a share; the settings `publish_min_*`."""

    of_catalogue: float
    of_serving: float
    recall: float
    overlap: float

    @classmethod
    def from_settings(cls, settings: Settings) -> Thresholds:
        return cls(
            of_catalogue=settings.publish_min_of_catalogue,
            of_serving=settings.publish_min_of_serving,
            recall=settings.publish_min_recall,
            overlap=settings.publish_min_overlap,
        )


@dataclass(frozen=True, slots=True)
class Checks:
    """`answers`: of a generation that nobody serves yet. `open_deltas`: reads index-deltas.

    `recorded`: the folder of the broker's recorded queries.
    """

    least: Thresholds
    answers: UnservedAnswers
    open_deltas: OpenDeltas
    recorded: Path

    def run(
        self, generations: Generations, name: str, broker: Broker, say: Callable[[str], None]
    ) -> tuple[list[PublishCheck], Generation | None]:
        """Each said as it ends; those that need a generation are left out where its manifest says nothing."""
        checks: list[PublishCheck] = []

        def done(each: PublishCheck) -> None:
            checks.append(each)
            say(f"{each.name}: {'passed' if each.passed else 'FAILED'}, {each.detail}")

        files, generation = check_files(generations, name)
        done(files)
        if generation is None:
            return checks, None
        least = self.least
        done(check_digest(generation))
        done(check_count_catalogue(generation, least.of_catalogue))
        try:
            status = broker.status()
        except TransientError as error:
            silent = str(error)
            done(no_broker(COUNT_SERVING, silent, least.of_serving))
        else:
            silent = ""
            done(check_count_serving(generation, status, least.of_serving))
        done(check_recall(generation, least.recall))
        reach = check_deltas(generation, self.open_deltas)
        done(reach)
        if silent:
            done(no_broker(OVERLAP, silent, least.overlap))
        elif not (files.passed and reach.passed):
            detail = "not compared: its files and the deltas since its cut must be there first"
            done(PublishCheck(name=OVERLAP, passed=False, threshold=least.overlap, detail=detail))
        else:
            recorded = self.recorded / f"{generation.extractor_id}.npy"
            done(check_overlap(least.overlap, generation, self.answers, broker, self.open_deltas, recorded))
        return checks, generation
