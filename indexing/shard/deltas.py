"""What a shard takes from `index-deltas`, whose partitions are not the shards.

A generation may have any number of shards, the topic keeps its partitions: a
product's deltas lie in partition `hash % partitions`, and its shard is
`hash % shards`. So a shard reads every partition that may hold products of
its own, and of those the rows that are its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from schemas.deltas.delta import DELTA_SCHEMA, DeltaBatch, Progress
from schemas.ids import delta_partitions_of_shard

_COLUMNS = DELTA_SCHEMA.names


class ShardDeltas:
    """The deltas of shard `shard` of `shards`, from a topic of `partitions` partitions. Immutable."""

    def __init__(self, shard: int, shards: int, partitions: int) -> None:
        if not 0 <= shard < shards:
            raise ValueError(f"shard {shard} of {shards}")
        self.shard = shard
        self.shards = shards
        self.partitions = delta_partitions_of_shard(shard, shards, partitions)
        """Those to read, ascending."""
        # Where the shards divide the partitions, a partition holds products of one shard alone.
        self._mixed = partitions % shards != 0
        self._place = {partition: place for place, partition in enumerate(self.partitions)}

    def of(self, batch: DeltaBatch, partition: int) -> DeltaBatch:
        """What the shard applies of a batch read from `partition`; the batch itself where all of it is the shard's."""
        progress = self.progress(batch.progress, partition)
        own = self._own(batch.image_id) if self._mixed else None
        if own is None or own.all():
            batch.progress = progress
            return batch
        columns = {name: list(compress(getattr(batch, name), own)) for name in _COLUMNS}
        return DeltaBatch(extractor_id=batch.extractor_id, progress=progress, **columns)

    def progress(self, entries: Iterable[Progress], partition: int) -> list[Progress]:
        """Progress seen in `partition`, as the shard counts it.

        It says that everything of a source partition is behind this batch *in
        this partition of deltas*; of the others it says nothing. So each source
        partition counts once per partition that the shard reads, and the
        watermark waits for all of them.
        """
        place, places = self._place[partition], len(self.partitions)
        if places == 1:
            return list(entries)
        return [
            Progress(place * entry.partitions + entry.partition, places * entry.partitions, entry.sequence,
                     entry.timestamp_ms)
            for entry in entries
        ]  # fmt: skip

    def holds(self, product_hashes: NDArray[np.uint64]) -> bool:
        """Whether all of these products are the shard's."""
        return bool((product_hashes % np.uint64(self.shards) == self.shard).all())

    def _own(self, image_ids: list[bytes]) -> NDArray[np.bool_]:
        """A mask over the images; what is no image id is everybody's, so that every shard counts what it ignores."""
        try:
            joined = b"".join(image_ids)
        except TypeError:  # a null in the column
            joined = b""
        if len(joined) != 16 * len(image_ids):
            return np.array([not _is_id(image) or self._own([image])[0] for image in image_ids], dtype=np.bool_)
        hashes = np.frombuffer(joined, dtype="<u8")[::2]
        own: NDArray[np.bool_] = hashes % np.uint64(self.shards) == self.shard
        return own


def _is_id(image: object) -> bool:
    return isinstance(image, bytes) and len(image) == 16
