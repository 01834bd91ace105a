"""Collects a stage's deltas of one batch per partition and extractor and packs them into few, bounded Kafka records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobs.pipeline.stage import Out
from schemas.deltas.delta import DeltaBatch, Progress, encode_deltas
from schemas.events.record import ImageEntry, ProductRecord
from schemas.ids import image_id, routing_key, shard_of_product
from schemas.topics import INDEX_DELTAS

MAX_BATCH_BYTES = 4 * 1024 * 1024
"""A delta record is cut near this size: far below the broker's limit, large enough to be efficient."""
PROGRESS_APART_BYTES = 256 * 1024
"""Rows of this size and more go without progress, which follows in a record of its own: see `Out.commutes`."""

_ROW_BYTES = 300

_Address = tuple[int, str]
"""Partition of `index-deltas`, and extractor id: a record's vectors are all of one extractor."""


@dataclass(slots=True)
class _Open:
    """A record that rows are still added to, and its size so far."""

    batch: DeltaBatch
    size: int = 0
    attributes: bytes = b""


class DeltaOutbox:
    """One batch of deltas per partition of `index-deltas` and extractor. Rows of such a batch keep their order.

    `partitions`: of the topic; a product's rows belong into `shard_of_product`
    of that number, however many shards the index has. `extractor_id`: the main
    one, of batches that name no other.
    """

    def __init__(self, partitions: int, extractor_id: str) -> None:
        self._partitions = partitions
        self._extractor_id = extractor_id
        self._open: dict[_Address, _Open] = {}
        self._full: list[Out] = []

    def batch(
        self, partition: int, vector: bytes | None, attributes: bytes = b"", *, extractor_id: str = ""
    ) -> DeltaBatch:
        """The batch to append the next row to, which has this vector and these attributes.

        A product's rows come one behind the other with the same object of
        attributes, which then stands once in the record.
        """
        address = partition, extractor_id or self._extractor_id
        found = self._open.get(address)
        if found is not None:
            more = _ROW_BYTES + len(vector or b"") + (0 if attributes is found.attributes else len(attributes))
            if found.size + more > MAX_BATCH_BYTES:
                self._full.append(self._record(partition, found.batch, commutes=True))
                found = None
        if found is None:
            more = _ROW_BYTES + len(vector or b"") + len(attributes)
            found = self._open[address] = _Open(DeltaBatch(extractor_id=address[1]))
        found.size += more
        found.attributes = attributes
        return found.batch

    def add_vectors(
        self, images: Iterable[tuple[ProductRecord, ImageEntry]], vectors: Mapping[str, Mapping[tuple[str, str], bytes]]
    ) -> int:
        """The images' vectors under the other extractors, as rows without a state: that goes with the main one's.

        `vectors`: known ones by extractor id, then by (product, URL). Returns how many rows were added.
        """
        rows = 0
        for record, entry in images:
            for extractor_id, known in vectors.items():
                vector = known.get((record.product_id, entry.url))
                if vector is None or extractor_id == self._extractor_id:
                    continue
                partition = shard_of_product(record.product_id, self._partitions)
                batch = self.batch(partition, vector, extractor_id=extractor_id)
                row = image_id(record.product_id, entry.url)
                batch.add(row, record.product_id, vector_seq=entry.image_seq, vector=vector)
                rows += 1
        return rows

    def seal(self, progress: list[Progress], everywhere: bool) -> Iterable[Out]:
        """All records. Progress goes with the last one of each partition, of the main extractor where it has rows.

        `everywhere`: also to partitions without a row.
        """
        behind: dict[int, DeltaBatch] = {}
        if everywhere:
            behind = {partition: self._empty() for partition in range(self._partitions)}
        out = self._full
        # The main extractor's last: progress goes with it.
        for (partition, _), found in sorted(self._open.items(), key=lambda each: each[0][1] == self._extractor_id):
            before = behind.get(partition)
            if before is not None and len(before):
                out.append(self._record(partition, before, commutes=True))
            behind[partition] = found.batch
            if found.size > PROGRESS_APART_BYTES and progress:
                out.append(self._record(partition, found.batch, commutes=True))
                behind[partition] = self._empty()
        for partition, batch in behind.items():
            batch.progress = progress
            out.append(self._record(partition, batch, commutes=not progress))
        self._open, self._full = {}, []
        return out

    def _empty(self) -> DeltaBatch:
        return DeltaBatch(extractor_id=self._extractor_id)

    def _record(self, partition: int, batch: DeltaBatch, *, commutes: bool) -> Out:
        return Out(INDEX_DELTAS, routing_key(partition, self._partitions), encode_deltas(batch), commutes)
