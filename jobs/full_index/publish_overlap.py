"""The same queries, answered by a new generation and by the one that serves: how much the answers have in common.

The new one is answered from its files as a searcher would, with the deltas
since its cut applied, but one shard in memory at a time. What was removed or
added since the cut is so in both, and a difference is one of the index.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.generations import Generations
from indexing.results import Hit
from indexing.shard import Shard
from indexing.shard_deltas import ShardDeltas
from indexing.snapshot import load_files
from indexing.snapshot_sample import sample_files
from jobs.full_index.publish_broker import Broker
from jobs.full_index.publish_checks import DELTAS, OVERLAP
from messaging.consumer import Message
from schemas.delta_check import DeltaCheck
from schemas.errors import CorruptError, OperatorError, RejectedError, TransientError
from schemas.generation import Generation
from schemas.publish_report import PublishCheck
from schemas.settings import Settings

log = logging.getLogger(__name__)

LIMIT = 10
MOST_QUERIES = 500
SAMPLED_QUERIES = 200
SEED = 20180527
_POLL_RECORDS = 1000
_IDLE_POLLS = 100

Vectors = NDArray[np.float32]


class DeltaReader(Protocol):
    """Partitions of index-deltas; `messaging.consumer.PartitionsReader` is it."""

    positions: dict[int, int]

    def poll(self, max_records: int = ..., timeout_s: float = ...) -> list[Message]: ...

    def beginning_offsets(self, timeout_s: float = ...) -> dict[int, int]: ...

    def end_offsets(self, timeout_s: float = ...) -> dict[int, int]: ...

    def close(self) -> None: ...


OpenDeltas = Callable[[Mapping[int, int | None]], DeltaReader]
"""From an offset on in each partition."""


def check_deltas(generation: Generation, open_deltas: OpenDeltas) -> PublishCheck:
    """Whether `index-deltas` still holds everything since the cut: without it no searcher could bring it up to date."""
    offsets = dict(enumerate(generation.delta_offsets))
    try:
        with _opened(open_deltas, offsets) as reader:
            beginnings, ends = reader.beginning_offsets(), reader.end_offsets()
    except TransientError as error:
        return PublishCheck(name=DELTAS, passed=False, detail=f"{error}; vitrine start starts Kafka")
    for partition, offset in offsets.items():
        if not beginnings[partition] <= offset <= ends[partition]:
            detail = (
                f"partition {partition} of index-deltas holds offsets {beginnings[partition]} to {ends[partition]}, "
                f"the generation goes on from {offset}: it is too old, or of another log; build anew"
            )
            return PublishCheck(name=DELTAS, passed=False, detail=detail)
    behind = sum(ends[partition] - offset for partition, offset in offsets.items())
    return PublishCheck(name=DELTAS, passed=True, detail=f"{behind} records since the cut, all of them kept")


def check_overlap(
    settings: Settings,
    generations: Generations,
    generation: Generation,
    broker: Broker,
    open_deltas: OpenDeltas,
) -> PublishCheck:
    """Mean share of the @10 answers that both generations have in common.

    Between two extractors it is reported and passes whatever it is: that they
    answer otherwise is why one builds with another.
    """
    least = settings.publish_min_overlap
    try:
        status = broker.status()
        serving, extractor = status.serving, status.serving_extractor_id
        other = extractor != generation.extractor_id
        queries, what = _queries(settings, generations, generation, sampled=other)
        if not len(queries):
            return PublishCheck(
                name=OVERLAP, passed=True, detail="the generation is empty: there is nothing to ask for"
            )
        if not serving or not extractor:
            detail = "nothing that serves answers; vitrine status says why, --force publishes without this check"
            return PublishCheck(name=OVERLAP, passed=False, threshold=least, detail=detail)
        answers = answer_from_files(generations, generation, queries, open_deltas, DeltaCheck.from_settings(settings))
        found = [[hit.image_id for hit in hits] for hits in answers]
        if other:
            return _of_extractors(broker, serving, extractor, answers)
        shown = broker.search(serving, extractor, queries, LIMIT)
    except (CorruptError, OperatorError) as error:
        return PublishCheck(name=OVERLAP, passed=False, threshold=least, detail=f"not compared: {error}")
    except (TransientError, RejectedError) as error:
        detail = f"not compared: {error}; vitrine status says what answers, --force publishes without this check"
        return PublishCheck(name=OVERLAP, passed=False, threshold=least, detail=detail)
    value = overlap(found, shown)
    passed = value >= least
    detail = f"@{LIMIT} with {serving}, {len(queries)} {what}"
    if not passed:
        detail += ": compare by vitrine alias --beside and ?generation=; if the difference is meant, --force"
    return PublishCheck(name=OVERLAP, passed=passed, value=value, threshold=least, detail=detail)


def overlap(left: Sequence[Sequence[bytes]], right: Sequence[Sequence[bytes]]) -> float:
    """Mean over the queries of the share of images in both answers, of the longer one; two empty ones agree."""
    shares = [
        len({*one} & {*other}) / max(len(one), len(other)) if one or other else 1.0
        for one, other in zip(left, right, strict=True)
    ]
    return float(np.mean(shares))


def answer_from_files(
    generations: Generations, generation: Generation, queries: Vectors, open_deltas: OpenDeltas, check: DeltaCheck
) -> list[list[Hit]]:
    """The `LIMIT` best images of the whole generation, with the deltas since its cut, for each query.

    `check`: what may be taken of them, as it is to a searcher.
    Raises `CorruptError`, `TransientError` when the log is away, `OperatorError` when it lacks the deltas.
    """
    best: list[list[Hit]] = [[] for _ in queries]
    for number in range(len(generation.shards)):
        answers = _answer_of_shard(generations, generation, number, queries, open_deltas, check)
        for so_far, hits in zip(best, answers, strict=True):
            so_far += hits
    return [sorted(hits, key=lambda hit: (-hit.score, hit.image_id))[:LIMIT] for hits in best]


def _answer_of_shard(
    generations: Generations,
    generation: Generation,
    number: int,
    queries: Vectors,
    open_deltas: OpenDeltas,
    check: DeltaCheck,
) -> list[list[Hit]]:
    """In a function of its own, so that a shard is gone before the next one is loaded."""
    deltas = ShardDeltas(number, len(generation.shards), generation.delta_partitions)
    shard, _ = load_files(generations.shard_folder(generation.name, number))
    with _opened(open_deltas, {p: generation.delta_offsets[p] for p in deltas.partitions}) as reader:
        _catch_up(shard, deltas, reader, check)
    return shard.search(queries, LIMIT)


def _of_extractors(broker: Broker, serving: str, extractor: str, answers: Sequence[Sequence[Hit]]) -> PublishCheck:
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
    value = overlap(found, broker.search(serving, extractor, np.stack(queries), LIMIT))
    detail = (
        f"@{LIMIT} with {serving}, {len(queries)} sampled images; reported only: that is of another extractor "
        f"({extractor})"
    )
    return PublishCheck(name=OVERLAP, passed=True, value=value, detail=detail)


def _queries(
    settings: Settings, generations: Generations, generation: Generation, *, sampled: bool
) -> tuple[Vectors, str]:
    """Recorded ones of its extractor, else (or if `sampled`) vectors of its own images; and what they are."""
    random = np.random.default_rng(SEED)
    recorded = _recorded(settings.home_path / "recorded-queries" / f"{generation.extractor_id}.npy")
    if not sampled and len(recorded) and recorded.shape[1] == generation.dimension:
        chosen = random.permutation(len(recorded))[:MOST_QUERIES]
        return recorded[chosen], "recorded queries"
    parts = []
    for number, shard in enumerate(generation.shards):
        part = round(SAMPLED_QUERIES * shard.searchable / max(1, generation.searchable))
        folder = generations.shard_folder(generation.name, number)
        try:
            parts.append(sample_files(folder, max(1, part), random))
        except OSError as error:
            raise CorruptError(f"{folder}: {error}") from error
    return np.concatenate(parts), "vectors of its own images, for want of recorded queries"


def _recorded(file: Path) -> Vectors:
    """What the broker wrote (serving/broker/recorded.py); empty when there is none. Raises `CorruptError`."""
    try:
        rows = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        return np.empty((0, 0), np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise CorruptError(f"{file} holds no recorded queries: {error}; remove it") from error
    if rows.dtype != np.float32 or rows.ndim != 2 or not np.isfinite(rows).all():
        raise CorruptError(f"{file} holds no recorded queries, but {rows.dtype} {rows.shape}; remove it")
    return np.asarray(rows, np.float32)


@contextmanager
def _opened(open_deltas: OpenDeltas, offsets: Mapping[int, int]) -> Iterator[DeltaReader]:
    reader = open_deltas(offsets)
    try:
        yield reader
    finally:
        reader.close()


def _catch_up(shard: Shard, deltas: ShardDeltas, reader: DeltaReader, check: DeltaCheck) -> None:
    """Applies what may be taken of everything up to the ends as they are now."""
    ends = reader.end_offsets()
    idle = 0
    while any(reader.positions[partition] < end for partition, end in ends.items()):
        messages = reader.poll(_POLL_RECORDS)
        idle = 0 if messages else idle + 1
        if idle > _IDLE_POLLS:
            raise TransientError("kafka_unavailable", f"index-deltas does not answer at {reader.positions}")
        for message in messages:
            taken = check.read(message.value, message.partition)
            shard.apply(deltas.of(taken.batch, message.partition))
            if taken.refused:
                log.warning("event=delta_skipped partition=%d offset=%d refused=%s problem=%s", message.partition,
                            message.offset, dict(taken.refused), taken.problem)  # fmt: skip
