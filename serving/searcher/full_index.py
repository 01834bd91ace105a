"""A searcher's shard of a full index, read from the folder of generations."""

from __future__ import annotations

from generations.folder import Generations, file_checksum
from indexing.look.looks import Look
from indexing.shard.deltas import ShardDeltas
from indexing.snapshot import snapshot
from schemas.errors import CorruptError
from schemas.full_index.generation import Generation
from schemas.full_index.manifest import MANIFEST
from serving.searcher.snapshots import Beginning

_NEXT = "build anew (vitrine build), or go back with vitrine alias --rollback"


class FullIndex:
    """Shard `deltas.shard` of `generation`. Immutable; `load` may be called by any thread."""

    def __init__(self, generations: Generations, generation: Generation, deltas: ShardDeltas, look: Look) -> None:
        self._look = look
        self._generations = generations
        self._generation = generation
        self._deltas = deltas

    def load(self) -> Beginning:
        """The shard as it was built. Raises `CorruptError` naming the file that is not as it was sealed."""
        generation, number = self._generation, self._deltas.shard
        folder = self._generations.shard_folder(generation.name, number)
        try:
            # The manifest names every other file's checksum, and the generation names the manifest's.
            if file_checksum(folder / MANIFEST) != generation.shards[number].manifest:
                raise CorruptError(f"{folder / MANIFEST} is not the one that the generation was sealed with")
            shard, _ = snapshot.load_files(folder, self._look)
        except CorruptError as error:
            raise CorruptError(f"{error}: {_NEXT}") from error
        if shard.extractor_id != generation.extractor_id:
            raise CorruptError(
                f"{folder} is of {shard.extractor_id}, {generation.name} of {generation.extractor_id}: {_NEXT}"
            )
        return Beginning(shard, {p: generation.delta_offsets[p] for p in self._deltas.partitions})
