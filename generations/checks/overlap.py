"""The same queries, answered by a new generation and by the one that serves: how much the answers have in common.

The new one is answered with the deltas since its cut applied. What was
removed or added since then is so in both, and a difference is one of the index.
What serves is asked before, and where the answers differ again afterwards:
what it found once and not both times changed meanwhile, which says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from generations.broker import Broker
from generations.checks.contents import OVERLAP
from generations.checks.reach import OpenDeltas
from schemas.errors import CorruptError, OperatorError, RejectedError, TransientError
from schemas.features.recorded import read_vectors
from schemas.full_index.generation import Generation
from schemas.full_index.publish_report import PublishCheck

LIMIT = 10
MOST_QUERIES = 500
SAMPLED_QUERIES = 200
SEED = 20180527

Vectors = NDArray[np.float32]
Answers = Sequence[Sequence[bytes]]
"""Ids of the images found, by query."""


class Found(NamedTuple):
    image_id: bytes
    product_id: str


class UnservedAnswers(Protocol):
    """A generation's own images and answers while nobody serves it; `jobs.full_index.build.answers` reads its files."""

    def sample(self, generation: Generation, queries: int, random: np.random.Generator) -> Vectors: ...

    def answer(
        self, generation: Generation, queries: Vectors, limit: int, open_deltas: OpenDeltas
    ) -> list[list[Found]]: ...


def check_overlap(
    least: float,
    generation: Generation,
    answers: UnservedAnswers,
    broker: Broker,
    open_deltas: OpenDeltas,
    recorded: Path,
) -> PublishCheck:
    """Mean share of the @10 answers that both generations have in common; `least` passes.

    `recorded`: the file of queries that the broker recorded for this extractor.
    Between two extractors it is reported and passes whatever it is: that they
    answer otherwise is why one builds with another.
    """
    try:
        status = broker.status()
        serving, extractor = status.serving, status.serving_extractor_id
        other = extractor != generation.extractor_id
        queries, what = _queries(recorded, answers, generation, sampled=other)
        if not len(queries):
            return PublishCheck(
                name=OVERLAP, passed=True, detail="the generation is empty: there is nothing to ask for"
            )
        if not serving or not extractor:
            detail = "nothing that serves answers; vitrine status says why, --force publishes without this check"
            return PublishCheck(name=OVERLAP, passed=False, threshold=least, detail=detail)
        before = [] if other else broker.best_images(serving, extractor, queries, LIMIT)
        own = answers.answer(generation, queries, LIMIT, open_deltas)
        found = [[hit.image_id for hit in hits] for hits in own]
        if other:
            return _of_extractors(broker, serving, extractor, own)
        value = _agreement(
            found, before, lambda differing: broker.best_images(serving, extractor, queries[differing], LIMIT)
        )
    except (CorruptError, OperatorError) as error:
        return PublishCheck(name=OVERLAP, passed=False, threshold=least, detail=f"not compared: {error}")
    except (TransientError, RejectedError) as error:
        detail = f"not compared: {error}; vitrine status says what answers, --force publishes without this check"
        return PublishCheck(name=OVERLAP, passed=False, threshold=least, detail=detail)
    passed = value >= least
    detail = f"@{LIMIT} with {serving}, {len(queries)} {what}"
    if not passed:
        detail += ": compare by vitrine alias --beside and ?generation=; if the difference is meant, --force"
    return PublishCheck(name=OVERLAP, passed=passed, value=value, threshold=least, detail=detail)


def overlap(own: Answers, before: Answers, after: Answers) -> float:
    """Mean over the queries of the share of `own` answers that those of what serves, before and after, bear out.

    Wrong are images that it found neither time, and missing are images that it found both times;
    the more of the two counts. With `after` equal to `before` it is the share of images
    in both answers, of the longer one. Two empty ones agree.
    """
    return float(np.mean([_borne_out({*a}, {*b}, {*c}) for a, b, c in zip(own, before, after, strict=True)]))


def _borne_out(own: set[bytes], before: set[bytes], after: set[bytes]) -> float:
    stayed = before & after
    differing = max(len(own - before - after), len(stayed - own))
    return 1.0 - differing / max(1, len(own), len(stayed))


def _agreement(own: Answers, before: Answers, again: Callable[[list[int]], Answers]) -> float:
    """`overlap`, for which `again` answers only the queries whose answers differ."""
    differing = [number for number, (mine, its) in enumerate(zip(own, before, strict=True)) if {*mine} != {*its}]
    after = list(before)
    for number, answer in zip(differing, again(differing) if differing else [], strict=True):
        after[number] = answer
    return overlap(own, before, after)


def _of_extractors(broker: Broker, serving: str, extractor: str, answers: Sequence[Sequence[Found]]) -> PublishCheck:
    """Each image that the queries were drawn from is asked for again, by the vector that the serving index has of it.

    Queries of the new extractor are vectors of its own images, so the best hit is the image itself.
    """
    found: list[list[bytes]] = []
    queries: list[Vectors] = []
    for hits in answers:
        vector = broker.vector(serving, hits[0].product_id, hits[0].image_id) if hits else b""
        if vector:
            queries.append(np.frombuffer(vector, "<f4"))
            found.append([hit.image_id for hit in hits])
    if not queries:
        detail = f"{serving} is of another extractor and has none of the sampled images: not compared"
        return PublishCheck(name=OVERLAP, passed=True, detail=detail)
    shown = broker.best_images(serving, extractor, np.stack(queries), LIMIT)
    value = overlap(found, shown, shown)
    detail = (
        f"@{LIMIT} with {serving}, {len(queries)} sampled images; reported only: that is of another extractor "
        f"({extractor})"
    )
    return PublishCheck(name=OVERLAP, passed=True, value=value, detail=detail)


def _queries(file: Path, answers: UnservedAnswers, generation: Generation, *, sampled: bool) -> tuple[Vectors, str]:
    """Recorded ones of its extractor, else (or if `sampled`) vectors of its own images; and what they are."""
    random = np.random.default_rng(SEED)
    try:
        recorded = read_vectors(file)
    except FileNotFoundError:
        recorded = np.empty((0, 0), np.float32)
    if not sampled and len(recorded) and recorded.shape[1] == generation.dimension:
        chosen = random.permutation(len(recorded))[:MOST_QUERIES]
        return recorded[chosen], "recorded queries"
    own = answers.sample(generation, SAMPLED_QUERIES, random)
    return own, "vectors of its own images, for want of recorded queries"
