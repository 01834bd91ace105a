"""A slot: the place of one searcher process, shard s and replica r, in whatever generation there is."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from disk.durable import write_durably
from generations.folder import GENERATION, Generations
from indexing.look.looks import Look
from indexing.look.part import look_of
from indexing.shard.deltas import ShardDeltas
from schemas.deltas.check import DeltaCheck
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.generation import LIVE, Generation, check_name, decode_generation, encode_generation
from schemas.full_index.learned import LearnedPart, checksum_of
from schemas.settings import Settings
from serving.searcher.feeding.feed import DeltaFeed, OpenReader
from serving.searcher.feeding.full_index import FullIndex
from serving.searcher.feeding.warming import recorded
from serving.searcher.metrics import SearcherMetrics
from serving.searcher.service import SearcherService
from serving.traced.feed import AppliedDeltas

log = logging.getLogger(__name__)

SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Held:
    """One generation in a slot. The feed alone writes what the searcher answers from."""

    searcher: SearcherService
    feed: DeltaFeed


@dataclass(frozen=True, slots=True)
class Slot:
    """What every generation of a slot is made from.

    `look`, `accept_gap`: of the live index, see `DeltaFeed` for the latter and for `applied`.
    """

    settings: Settings
    shard: int
    replica: int
    look: Look
    metrics: SearcherMetrics
    open_reader: OpenReader
    accept_gap: bool = False
    applied: AppliedDeltas | None = None

    @property
    def generations(self) -> Generations:
        return Generations(self.settings.layout.generations)

    def folder(self, name: str) -> Path:
        """Where the slot keeps its snapshot and its description of a generation."""
        return self.settings.layout.shard_folder(self.shard, self.replica, name)

    def kept(self) -> list[str]:
        """Generations with a folder in this slot, newest first, the live index last."""
        parent = self.folder(LIVE).parent
        if not parent.is_dir():
            return []
        names = [folder.name for folder in parent.iterdir() if is_generation(folder.name) and folder.is_dir()]
        return newest_first(names)

    def remove(self, name: str) -> None:
        """Removes the folder of a generation that is not held, and what was copied of it out of an object store."""
        if self.folder(name).exists():
            shutil.rmtree(self.folder(name))
        if name != LIVE:
            self.generations.drop_copy(name, self.shard)

    def adopt_old_layout(self) -> None:
        """Moves a snapshot of the time before generations to where the live index's lies now."""
        old, new = self.folder(LIVE).parent / SNAPSHOT, self.folder(LIVE) / SNAPSHOT
        if old.is_dir() and not new.exists():
            new.parent.mkdir(exist_ok=True)
            old.rename(new)
            log.info("event=snapshot_moved shard=%d replica=%d to=%s", self.shard, self.replica, new)

    def describe(self, name: str) -> Generation:
        """What the generation is, by the folder of generations or, where that is away, by the slot's own copy.

        Raises `OperatorError` when there is no such generation or it does not
        fit the settings, `CorruptError` when its manifest was altered.
        """
        try:
            generation = self.generations.read(name)
        except (CorruptError, OperatorError, OSError) as error:
            try:
                generation = decode_generation((self.folder(name) / GENERATION).read_bytes())
            except (CorruptError, OSError):
                raise error from None
            log.warning("event=described_by_copy generation=%s problem=%s", name, error)
        partitions = self.settings.partitions_of_deltas
        if generation.delta_partitions != partitions:
            raise OperatorError(
                f"{name} was built over {generation.delta_partitions} partitions of index-deltas, the settings say "
                f"{partitions}: set VITRINE_DELTA_PARTITIONS={generation.delta_partitions}, alike for every process"
            )
        return generation

    def live(self) -> Held:
        """The index that grows from index-deltas alone, not started yet."""
        settings = self.settings
        searcher = SearcherService(
            self.shard,
            self.replica,
            self.look,
            self.metrics,
            shards=settings.shards,
            indexed=settings.indexed,
            recall_sample=settings.recall_sample,
            recall_wanted=settings.index_recall,
        )
        deltas = ShardDeltas(self.shard, settings.shards, settings.partitions_of_deltas)
        return Held(searcher, self._feed(searcher, deltas, None, self.accept_gap))

    def full(self, generation: Generation) -> Held:
        """This slot's shard of a full index, not started yet; `shard` is one of the generation's.

        Raises `CorruptError` where what its vectors are made by is missing or was altered.
        """
        name, shards = generation.name, len(generation.shards)
        folder = self.folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(folder / GENERATION, encode_generation(generation))
        look = look_of(generation, lambda entry: self._part(name, entry))
        searcher = SearcherService(
            self.shard,
            self.replica,
            look,
            self.metrics,
            generation=name,
            shards=shards,
            indexed=self.settings.indexed,
            recall_sample=self.settings.recall_sample,
            recall_wanted=self.settings.index_recall,
        )
        deltas = ShardDeltas(self.shard, shards, generation.delta_partitions)
        return Held(
            searcher, self._feed(searcher, deltas, FullIndex(self.generations, generation, deltas, look), False)
        )

    def _part(self, name: str, entry: LearnedPart) -> bytes:
        """A learned part of the generation, kept beside the slot's snapshot, which is of no use without it."""
        copy = self.folder(name) / entry.kind
        try:
            data = copy.read_bytes()
        except FileNotFoundError:
            data = b""
        if checksum_of(data) != entry.checksum:
            data = self.generations.learned(name, entry)
            write_durably(copy, data)
        return data

    def _feed(
        self, searcher: SearcherService, deltas: ShardDeltas, full_index: FullIndex | None, accept_gap: bool
    ) -> DeltaFeed:
        layout = self.settings.layout
        return DeltaFeed(
            searcher,
            deltas,
            self.open_reader,
            self.folder(searcher.generation) / SNAPSHOT,
            self.settings.snapshot_interval_s,
            check=DeltaCheck.from_settings(self.settings),
            full_index=full_index,
            accept_gap=accept_gap,
            applied=self.applied,
            queries=partial(recorded, layout.recorded_queries, layout.recorded_photos, searcher.look),
        )


def is_generation(name: str) -> bool:
    """Whether it can be the name of a generation, the live index included (and so of a folder)."""
    try:
        return name == LIVE or check_name(name) == name
    except OperatorError:
        return False


def newest_first(names: list[str]) -> list[str]:
    """The live index comes last: it is older than any full index."""
    return sorted(names, key=lambda name: "" if name == LIVE else name, reverse=True)
