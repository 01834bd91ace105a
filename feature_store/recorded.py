"""A lost catalogue store from `catalogue-records`, its durable copy in Kafka.

Takes the topic's keys and values as an iterator, in the order of the log;
reading Kafka is messaging's part.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from feature_store.port import Store
from feature_store.products import ProductStore
from schemas.events.record import ProductRecord, decode_record
from schemas.ids import kafka_partition

log = logging.getLogger(__name__)

_BATCH = 1000
_LOGGED_REFUSALS = 20


@dataclass(slots=True)
class RestoreReport:
    """Of `read` records of so many `products`, `refused` do not decode or lie under another product's key.

    `newest`: the greatest sequence among them.
    """

    read: int = 0
    products: int = 0
    refused: int = 0
    newest: int = 0


def restore_catalogue(
    records: Iterable[tuple[bytes | None, bytes | None]], store: Store, partitions: int
) -> RestoreReport:
    """Puts `records` (key and value of `catalogue-records`) into the empty `store`; a product's newest one stays.

    That need not be its last: a task that was given up may have sent an older one late, and the topic may have got
    more partitions since. Makes every partition. No applied position comes with them: each product's own sequence
    says which events it has already (`jobs.pipeline.catalogue.stage`).
    """
    report = RestoreReport()
    products = ProductStore(store)
    seen: set[str] = set()
    batch: dict[str, ProductRecord] = {}
    try:
        for partition in range(partitions):
            products.write(partition, (), 0)
        for key, value in records:
            report.read += 1
            record = _decoded(key, value)
            if record is None:
                report.refused += 1
                if report.refused <= _LOGGED_REFUSALS:
                    log.warning("event=catalogue_record_refused key=%r", key)
                continue
            known = batch.get(record.product_id)
            if known is None or record.sequence >= known.sequence:
                batch[record.product_id] = record
            seen.add(record.product_id)
            report.newest = max(report.newest, record.sequence)
            if len(batch) >= _BATCH:
                _flush(products, batch, partitions)
                batch = {}
        _flush(products, batch, partitions)
    finally:
        products.close()
    report.products = len(seen)
    log.info("event=catalogue_restored read=%d products=%d refused=%d", report.read, report.products, report.refused)
    return report


def _decoded(key: bytes | None, value: bytes | None) -> ProductRecord | None:
    if key is None or value is None:
        return None
    try:
        record = decode_record(value)
    except msgspec.MsgspecError:
        return None
    return record if record.product_id.encode() == key else None


def _flush(products: ProductStore, batch: dict[str, ProductRecord], partitions: int) -> None:
    by_partition: dict[int, list[ProductRecord]] = {}
    for product_id, record in batch.items():
        by_partition.setdefault(kafka_partition(product_id.encode(), partitions), []).append(record)
    for partition, records in by_partition.items():
        before = products.get_many(partition, [record.product_id for record in records])
        newer = [
            record
            for record, known in zip(records, before, strict=True)
            if known is None or record.sequence >= known.sequence
        ]
        products.write(partition, newer, 0)
