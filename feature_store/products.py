"""Product records over a store: what the catalogue stage reads and writes, a batch at a time.

Keys, in the partition of `product-events` that the product belongs to:

    b"p" product_id (UTF-8)  -> the encoded ProductRecord
    b"m/applied"             -> the greatest sequence applied, 8 bytes big-endian

Records and applied sequence go in one write batch, so a killed stage finds a
state that some prefix of the log explains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from feature_store.port import ReadPartition, Store, WritePartition
from schemas.errors import CorruptError
from schemas.events.record import ProductRecord, decode_record, encode_record

_APPLIED = b"m/applied"


def product_key(product_id: str) -> bytes:
    return b"p" + product_id.encode()


class ProductStore:
    """The owner's side: opens a partition for writing when first asked about it. Belongs to one thread.

    Raises `OperatorError` when another process owns the partition.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writers: dict[int, WritePartition] = {}
        self._applied: dict[int, int] = {}

    def get_many(self, partition: int, product_ids: Sequence[str]) -> list[ProductRecord | None]:
        """Records in the order of `product_ids`, each its own object even for an id named twice."""
        return _get_many(self._writer(partition), product_ids)

    def write(self, partition: int, records: Sequence[ProductRecord], applied: int) -> list[bytes]:
        """Records and applied sequence, all or nothing. The applied sequence never goes back (a replay).

        Returns the records as they were encoded, in their order.
        """
        applied = max(applied, self.applied(partition))
        encoded = [encode_record(record) for record in records]
        puts = [(b"p" + record.product_id.encode(), value) for record, value in zip(records, encoded, strict=True)]
        puts.append((_APPLIED, applied.to_bytes(8, "big")))
        self._writer(partition).write(puts)
        self._applied[partition] = applied
        return encoded

    def purge(self, partition: int, product_ids: Iterable[str]) -> None:
        """Returns when nothing but the present records of these products is on the disk."""
        keys = [product_key(product_id) for product_id in product_ids]
        if keys:
            self._writer(partition).purge(keys)

    def applied(self, partition: int) -> int:
        """The greatest sequence applied; 0 before the first."""
        applied = self._applied.get(partition)
        if applied is None:
            applied = self._applied[partition] = _applied(self._writer(partition))
        return applied

    def scan(self, partition: int) -> Iterator[ProductRecord]:
        """All products of the partition, by id, over a consistent view; removed ones included."""
        return _scan(self._writer(partition))

    def checkpoint(self, partition: int, folder: Path) -> None:
        """A consistent copy of the partition at `folder`, which must not exist."""
        self._writer(partition).checkpoint(folder)

    def close(self) -> None:
        """Gives all partitions up. Safe to call twice."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        self._applied.clear()

    def _writer(self, partition: int) -> WritePartition:
        writer = self._writers.get(partition)
        if writer is None:
            writer = self._writers[partition] = self._store.writer(partition)
        return writer


class ProductReader:
    """For audits and status: reads beside the running owner, as of the last `catch_up`. Belongs to one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._readers: dict[int, ReadPartition] = {}

    def get_many(self, partition: int, product_ids: Sequence[str]) -> list[ProductRecord | None]:
        return _get_many(self._reader(partition), product_ids)

    def applied(self, partition: int) -> int:
        """The greatest sequence applied; 0 before the first."""
        return _applied(self._reader(partition))

    def scan(self, partition: int, wanted: Callable[[str], bool] | None = None) -> Iterator[ProductRecord]:
        """All products of the partition, by id, over a consistent view; removed ones included.

        wanted: which products, by id; the others' records are not decoded.
        """
        return _scan(self._reader(partition), wanted)

    def catch_up(self) -> None:
        for reader in self._readers.values():
            reader.catch_up()

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _reader(self, partition: int) -> ReadPartition:
        reader = self._readers.get(partition)
        if reader is None:
            reader = self._readers[partition] = self._store.reader(partition)
        return reader


def _get_many(partition: ReadPartition, product_ids: Sequence[str]) -> list[ProductRecord | None]:
    values = partition.get_many([b"p" + product_id.encode() for product_id in product_ids])
    try:
        return [None if value is None else decode_record(value) for value in values]
    except msgspec.MsgspecError as error:
        damaged = next(i for i, value in zip(product_ids, values, strict=True) if value is not None and _damaged(value))
        raise _corrupt(damaged, error) from error


def _applied(partition: ReadPartition) -> int:
    (value,) = partition.get_many([_APPLIED])
    return 0 if value is None else int.from_bytes(value, "big")


def _scan(partition: ReadPartition, wanted: Callable[[str], bool] | None = None) -> Iterator[ProductRecord]:
    for key, value in partition.scan(b"p"):
        if wanted is not None and not wanted(key[1:].decode()):
            continue
        try:
            record = decode_record(value)
        except msgspec.MsgspecError as error:
            raise _corrupt(key[1:].decode(errors="replace"), error) from error
        yield record


def _damaged(value: bytes) -> bool:
    try:
        decode_record(value)
    except msgspec.MsgspecError:
        return True
    return False


def _corrupt(product_id: str, error: Exception) -> CorruptError:
    return CorruptError(
        f"product record {product_id!r} does not decode ({error}); "
        f"remove the catalogue store and replay product-events from its beginning"
    )
