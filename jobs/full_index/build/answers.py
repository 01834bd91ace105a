"""What a generation answers while nobody serves it: from its files, as a searcher would, a shard at a time."""

from __future__ import annotations

import logging

import numpy as np

from generations.checks.overlap import Found, Vectors
from generations.checks.reach import OpenDeltas, opened
from generations.folder import Generations
from indexing.look.part import look_of
from indexing.shard.deltas import ShardDeltas
from indexing.shard.shard import Shard
from indexing.snapshot.sample import sample_files
from indexing.snapshot.snapshot import load_files
from messaging.ranges import LogReader, drain
from schemas.deltas.check import DeltaCheck
from schemas.errors import CorruptError
from schemas.found import Hit
from schemas.full_index.generation import Generation
from schemas.settings import Settings
from schemas.topics import INDEX_DELTAS

log = logging.getLogger(__name__)


class FileAnswers:
    """`UnservedAnswers` from the files of `generations`. `check`: what a searcher would take."""

    def __init__(self, generations: Generations, check: DeltaCheck) -> None:
        self._generations = generations
        self._check = check

    @classmethod
    def from_settings(cls, settings: Settings) -> FileAnswers:
        return cls(Generations(settings.layout.generations), DeltaCheck.from_settings(settings))

    def sample(self, generation: Generation, queries: int, random: np.random.Generator) -> Vectors:
        """Vectors of its own images, as many of each shard as its share."""
        parts = []
        for number, shard in enumerate(generation.shards):
            part = round(queries * shard.searchable / max(1, generation.searchable))
            folder = self._generations.shard_folder(generation.name, number)
            try:
                parts.append(sample_files(folder, max(1, part), random))
            except OSError as error:
                raise CorruptError(f"{folder}: {error}") from error
        return np.concatenate(parts)

    def answer(
        self, generation: Generation, queries: Vectors, limit: int, open_deltas: OpenDeltas
    ) -> list[list[Found]]:
        """The `limit` best images of the whole generation, with the deltas since its cut, for each query.

        Raises `CorruptError`, `TransientError` when the log is away, `OperatorError` when it lacks the deltas.
        """
        best: list[list[Hit]] = [[] for _ in queries]
        for number in range(len(generation.shards)):
            answers = self._of_shard(generation, number, queries, limit, open_deltas)
            for so_far, hits in zip(best, answers, strict=True):
                so_far += hits
        ordered = (sorted(hits, key=lambda hit: (-hit.score, hit.image_id))[:limit] for hits in best)
        return [[Found(hit.image_id, hit.product_id) for hit in hits] for hits in ordered]

    def _of_shard(
        self, generation: Generation, number: int, queries: Vectors, limit: int, open_deltas: OpenDeltas
    ) -> list[list[Hit]]:
        """In a function of its own, so that a shard is gone before the next one is loaded."""
        deltas = ShardDeltas(number, len(generation.shards), generation.delta_partitions)
        look = look_of(generation, lambda entry: self._generations.learned(generation.name, entry))
        shard, _ = load_files(self._generations.shard_folder(generation.name, number), look)
        with opened(open_deltas, {p: generation.delta_offsets[p] for p in deltas.partitions}) as reader:
            _catch_up(shard, deltas, reader, self._check)
        return shard.search(queries, limit)


def _catch_up(shard: Shard, deltas: ShardDeltas, reader: LogReader, check: DeltaCheck) -> None:
    """Applies what may be taken of everything up to the ends as they are now."""
    for message in drain(reader, reader.end_offsets(), topic=INDEX_DELTAS):
        taken = check.admit(message.value, message.partition)
        shard.apply(deltas.of(taken.batch, message.partition))
        if taken.refused:
            log.warning("event=delta_skipped partition=%d offset=%d refused=%s problem=%s", message.partition,
                        message.offset, dict(taken.refused), taken.problem)  # fmt: skip
