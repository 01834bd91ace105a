"""Collects a stage's deltas of one batch per partition and extractor and packs them into few, bounded Kafka records."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.pipeline.stage import Out
from schemas.delta import DeltaBatch, Progress, encode_deltas
from schemas.ids import routing_key
from schemas.topics import INDEX_DELTAS

MAX_BATCH_BYTES = 4 * 1024 * 1024
"""A delta record is cut near this size: far below the broker's limit, large enough to be efficient."""

_ROW_BYTES = 300

_Address = tuple[int, str]
"""Partition of `index-deltas`, and extractor id: a record's vectors are all of one extractor."""


class DeltaOutbox:
    """One batch of deltas per partition of `index-deltas` and extractor. Rows of such a batch keep their order.

    `partitions`: of the topic; a product's rows belong into `shard_of_product`
    of that number, however many shards the index has. `extractor_id`: the main
    one, of batches that name no other.
    """

    def __init__(self, partitions: int, extractor_id: str) -> None:
        self._partitions = partitions
        self._extractor_id = extractor_id
        self._open: dict[_Address, DeltaBatch] = {}
        self._bytes: dict[_Address, int] = {}
        self._full: list[Out] = []

    def batch(self, partition: int, size: int, extractor_id: str = "") -> DeltaBatch:
        """The batch to append the next row to, whose vector and attributes have `size` bytes."""
        address = partition, extractor_id or self._extractor_id
        total = self._bytes.get(address, 0) + _ROW_BYTES + size
        if total > MAX_BATCH_BYTES and address in self._open:
            self._full.append(self._record(partition, self._open.pop(address)))
            total = _ROW_BYTES + size
        self._bytes[address] = total
        found = self._open.get(address)
        if found is None:
            found = self._open[address] = DeltaBatch(extractor_id=address[1])
        return found

    def seal(self, progress: list[Progress], everywhere: bool) -> Iterable[Out]:
        """All records. Progress goes with the last one of each partition, of the main extractor where it has rows.

        `everywhere`: also to partitions without a row.
        """
        if everywhere:
            for partition in range(self._partitions):
                self._open.setdefault((partition, self._extractor_id), DeltaBatch(extractor_id=self._extractor_id))
        out = self._full
        in_order = sorted(self._open.items(), key=lambda each: each[0][1] == self._extractor_id)
        last = {partition: batch for (partition, _), batch in in_order}
        for (partition, _), batch in in_order:
            if batch is last[partition]:
                batch.progress = progress
            out.append(self._record(partition, batch))
        self._open, self._bytes, self._full = {}, {}, []
        return out

    def _record(self, partition: int, batch: DeltaBatch) -> Out:
        return Out(INDEX_DELTAS, routing_key(partition, self._partitions), encode_deltas(batch))
