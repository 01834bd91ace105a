"""Feature records over a store: by image key, and by the content of the image file, per extractor.

Keys (extractor = BLAKE2b-64 of the extractor id, so that any number of
extractors live beside each other):

    b"f" extractor image_key     -> the encoded FeatureRecord
    b"c" extractor content_hash  -> image_key of a record in the same partition

Both are written in one batch, to the partition of the image key. A content
entry may outlive its record's content (an image key extracted again); it is
checked against the record when read.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

from feature_store.port import ReadPartition, Store, WritePartition
from schemas.features.record import FeatureRecord, decode_feature, encode_feature
from schemas.ids import ImageKey, feature_partition

Clock = Callable[[], float]
"""Monotonic seconds."""


@lru_cache(maxsize=64)
def _extractor_key(extractor_id: str) -> bytes:
    return blake2b(extractor_id.encode(), digest_size=8).digest()


def feature_key(image_key: bytes, extractor_id: str) -> bytes:
    return b"f" + _extractor_key(extractor_id) + image_key


def content_key(content_hash: bytes, extractor_id: str) -> bytes:
    return b"c" + _extractor_key(extractor_id) + content_hash


class FeatureStore:
    """Opens the two sides of a feature store of `partitions` partitions."""

    def __init__(self, store: Store, partitions: int) -> None:
        self.store = store
        self.partitions = partitions

    def writer(self, *, catch_up_interval_ms: int = 50) -> FeatureWriter:
        return FeatureWriter(self.store, self.partitions, catch_up_interval_ms=catch_up_interval_ms)

    def reader(self, *, catch_up_interval_ms: int = 50) -> FeatureReader:
        return FeatureReader(self.store, self.partitions, catch_up_interval_ms=catch_up_interval_ms)


class _Readers:
    """Secondaries, opened when first asked; each catches up at most every `interval_ms`."""

    def __init__(self, store: Store, interval_ms: int, clock: Clock) -> None:
        self._store = store
        self._interval_s = interval_ms / 1000
        self._clock = clock
        self._readers: dict[int, ReadPartition] = {}
        self._caught_up_at: dict[int, float] = {}

    def get_many(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """Asks again after catching up when something was missed and the last time is long enough ago."""
        reader = self._readers.get(partition)
        if reader is None:
            reader = self._readers[partition] = self._store.reader(partition)
            self._caught_up_at[partition] = self._clock()
        values = reader.get_many(keys)
        if None not in values:
            return values
        now = self._clock()
        if now - self._caught_up_at[partition] < self._interval_s:
            return values
        self._caught_up_at[partition] = now
        reader.catch_up()
        missed = [position for position, value in enumerate(values) if value is None]
        for position, value in zip(missed, reader.get_many([keys[i] for i in missed]), strict=True):
            values[position] = value
        return values

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """As the port's, of a reader of its own."""
        reader = self._store.reader(partition)
        try:
            yield from reader.scan(prefix)
        finally:
            reader.close()

    def forget(self, partition: int) -> None:
        reader = self._readers.pop(partition, None)
        if reader is not None:
            reader.close()

    def close(self) -> None:
        for partition in list(self._readers):
            self.forget(partition)


class FeatureReader:
    """Reads all partitions as secondaries, a little behind their owners. Belongs to one thread.

    A record missing here may exist already: the caller asks for an extraction
    that its owner answers without the CNN. Catches up when something was
    missed, at most every `catch_up_interval_ms` and partition.
    """

    def __init__(
        self, store: Store, partitions: int, *, catch_up_interval_ms: int = 50, clock: Clock = time.monotonic
    ) -> None:
        self._partitions = partitions
        self._readers = _Readers(store, catch_up_interval_ms, clock)

    def get_many(self, image_keys: Sequence[ImageKey], extractor_id: str) -> list[FeatureRecord | None]:
        """Records in the order of `image_keys`; None: not known here (yet)."""
        return _get_many(image_keys, extractor_id, self._partitions, self._readers.get_many)

    def scan(self) -> Iterator[FeatureRecord]:
        """Every record of every extractor, notes of refusal too, over a view of each partition as it is opened."""
        for partition in range(self._partitions):
            for _, value in self._readers.scan(partition, b"f"):
                yield decode_feature(value)

    def close(self) -> None:
        self._readers.close()


class FeatureWriter:
    """The owner's side. Belongs to one thread.

    It becomes the owner of a partition when it is first given an image key of
    it, so a subtask must only be given keys of its own partitions
    (extract-requests is partitioned like the store). Raises `OperatorError`
    when another process owns that partition.
    """

    def __init__(
        self, store: Store, partitions: int, *, catch_up_interval_ms: int = 50, clock: Clock = time.monotonic
    ) -> None:
        self._store = store
        self._partitions = partitions
        self._writers: dict[int, WritePartition] = {}
        self._readers = _Readers(store, catch_up_interval_ms, clock)

    def get_many(self, image_keys: Sequence[ImageKey], extractor_id: str) -> list[FeatureRecord | None]:
        """Records in the order of `image_keys`, exact: nobody else writes these partitions."""
        return _get_many(image_keys, extractor_id, self._partitions, lambda p, keys: self._writer(p).get_many(keys))

    def find_content(self, content_hashes: Sequence[bytes], extractor_id: str) -> list[FeatureRecord | None]:
        """A record of each content under any image key: in own partitions first, then in the others', if lagging."""
        found: list[FeatureRecord | None] = [None] * len(content_hashes)
        others = [partition for partition in range(self._partitions) if partition not in self._writers]
        for partition in [*self._writers, *others]:
            open_positions = [position for position, record in enumerate(found) if record is None]
            if not open_positions:
                break
            wanted = [content_hashes[position] for position in open_positions]
            records = self._content_of(partition, wanted, extractor_id)
            for position, record in zip(open_positions, records, strict=True):
                found[position] = record
        return found

    def put_many(self, records: Iterable[FeatureRecord]) -> None:
        """One write per partition; of several records of one image and extractor the last stays."""
        puts: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        for record in records:
            extractor_id, image_key = record.extractor_id, record.image_key
            entries = puts[feature_partition(image_key, self._partitions)]
            entries.append((feature_key(image_key, extractor_id), encode_feature(record)))
            if record.content_hash:
                entries.append((content_key(record.content_hash, extractor_id), image_key))
        for partition, entries in puts.items():
            self._writer(partition).write(entries)

    def delete_many(self, image_keys: Sequence[ImageKey], extractor_id: str) -> None:
        """Removes the records; a content entry left behind by one of them leads nowhere and finds nothing."""
        deletes: dict[int, list[bytes]] = defaultdict(list)
        for image_key in image_keys:
            deletes[feature_partition(image_key, self._partitions)].append(feature_key(image_key, extractor_id))
        for partition, keys in deletes.items():
            self._writer(partition).write((), keys)

    def erase_many(self, image_keys: Sequence[ImageKey], extractor_id: str) -> int:
        """Removes the records and what leads to them; returns how many, once no byte of them is on the disk."""
        found = zip(image_keys, self.get_many(image_keys, extractor_id), strict=True)
        deletes: dict[int, list[bytes]] = defaultdict(list)
        count = 0
        for image_key, record in found:
            if record is None:
                continue
            count += 1
            partition = feature_partition(image_key, self._partitions)
            deletes[partition].append(feature_key(image_key, extractor_id))
            by_content = content_key(record.content_hash, extractor_id)
            if self._writer(partition).get_many([by_content]) == [image_key]:
                deletes[partition].append(by_content)
        for partition, keys in deletes.items():
            self._writer(partition).write((), keys)
            self._writer(partition).purge(keys)
        return count

    def close(self) -> None:
        """Gives all partitions up. Safe to call twice."""
        self._readers.close()
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _writer(self, partition: int) -> WritePartition:
        writer = self._writers.get(partition)
        if writer is None:
            writer = self._writers[partition] = self._store.writer(partition)
            self._readers.forget(partition)
        return writer

    def _content_of(self, partition: int, hashes: Sequence[bytes], extractor_id: str) -> list[FeatureRecord | None]:
        keys = [content_key(digest, extractor_id) for digest in hashes]
        image_keys = self._read(partition, keys)
        known = [(position, key) for position, key in enumerate(image_keys) if key is not None]
        records: list[FeatureRecord | None] = [None] * len(hashes)
        if not known:
            return records
        values = self._read(partition, [feature_key(image_key, extractor_id) for _, image_key in known])
        for (position, _), value in zip(known, values, strict=True):
            record = None if value is None else decode_feature(value)
            if record is not None and record.content_hash == hashes[position]:
                records[position] = record
        return records

    def _read(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        writer = self._writers.get(partition)
        return writer.get_many(keys) if writer is not None else self._readers.get_many(partition, keys)


def _get_many(
    image_keys: Sequence[ImageKey],
    extractor_id: str,
    partitions: int,
    read: Callable[[int, Sequence[bytes]], list[bytes | None]],
) -> list[FeatureRecord | None]:
    records: list[FeatureRecord | None] = [None] * len(image_keys)
    positions: dict[int, list[int]] = defaultdict(list)
    for position, image_key in enumerate(image_keys):
        positions[feature_partition(image_key, partitions)].append(position)
    for partition, members in positions.items():
        values = read(partition, [feature_key(image_keys[position], extractor_id) for position in members])
        for position, value in zip(members, values, strict=True):
            if value is not None:
                records[position] = decode_feature(value)
    return records
