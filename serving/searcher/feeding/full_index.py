"""A searcher's shard of a full index, read from where the generations lie."""

from __future__ import annotations

import logging
from pathlib import Path

from generations.folder import Generations, file_checksum
from indexing.look.looks import Look
from indexing.shard.deltas import ShardDeltas
from indexing.shard.shard import Shard
from indexing.snapshot import snapshot
from schemas.errors import CorruptError, TransientError
from schemas.full_index.generation import Generation
from schemas.full_index.manifest import MANIFEST
from serving.searcher.feeding.snapshots import Beginning

log = logging.getLogger(__name__)

_NEXT = "build anew (vitrine build), or go back with vitrine alias --rollback"


class FullIndex:
    """Shard `deltas.shard` of `generation`. Immutable; `load` may be called by any thread."""

    def __init__(self, generations: Generations, generation: Generation, deltas: ShardDeltas, look: Look) -> None:
        self._look = look
        self._generations = generations
        self._generation = generation
        self._deltas = deltas

    def load(self) -> Beginning:
        """The shard as it was built.

        Raises `CorruptError` naming the file that is not as it was sealed,
        `TransientError` where the place is away or the disk full.
        """
        generation, number = self._generation, self._deltas.shard
        try:
            try:
                folder, shard = self._loaded()
            except CorruptError as error:
                if not self._generations.drop_copy(generation.name, number):
                    raise
                log.warning("event=copy_dropped generation=%s shard=%d problem=%s", generation.name, number, error)
                folder, shard = self._loaded()
        except CorruptError as error:
            raise CorruptError(f"{error}: {_NEXT}") from error
        except OSError as error:  # of the place, or of a disk that is full
            raise TransientError("full_index_unreadable", f"{generation.name}: {error}; it is tried again") from error
        if shard.extractor_id != generation.extractor_id:
            raise CorruptError(
                f"{folder} is of {shard.extractor_id}, {generation.name} of {generation.extractor_id}: {_NEXT}"
            )
        return Beginning(shard, {p: generation.delta_offsets[p] for p in self._deltas.partitions})

    def _loaded(self) -> tuple[Path, Shard]:
        number = self._deltas.shard
        folder = self._generations.shard_folder(self._generation.name, number)
        # The manifest names every other file's checksum, and the generation names the manifest's.
        if file_checksum(folder / MANIFEST) != self._generation.shards[number].manifest:
            raise CorruptError(f"{folder / MANIFEST} is not the one that the generation was sealed with")
        return folder, snapshot.load_files(folder, self._look)[0]
