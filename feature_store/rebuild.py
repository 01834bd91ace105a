"""A lost feature store from `image-features`, its durable copy in Kafka.

Takes the topic's keys and values as an iterator, in the order of the log;
reading Kafka is messaging's part.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from feature_store.features import FeatureStore, FeatureWriter
from schemas.errors import CorruptError
from schemas.features.record import FeatureRecord, check_feature, decode_feature, feature_topic_key
from schemas.ids import ImageKey

log = logging.getLogger(__name__)

_BATCH = 1000
_LOGGED_REFUSALS = 20

_Id = tuple[str, ImageKey]
"""Extractor id and image key."""


@dataclass(slots=True)
class RebuildReport:
    """What became of `read` records of the topic.

    `written` + `superseded` + `removed` + `refused` = `read`, where
    `superseded` were not written because of a newer record, or a tombstone, of
    the same image and extractor, and `removed` are tombstones, whether or not
    there was something to remove. `extractors`: written ones per extractor id.
    """

    read: int = 0
    written: int = 0
    superseded: int = 0
    removed: int = 0
    refused: int = 0
    extractors: dict[str, int] = field(default_factory=dict)


def rebuild(records: Iterable[tuple[bytes | None, bytes | None]], store: FeatureStore) -> RebuildReport:
    """Puts `records` (key and value of `image-features`, in log order) into `store`, which may hold some already.

    Of several records of one image and extractor the one extracted last wins,
    the later one in the log when equal; a tombstone (value None) removes what
    came before it. A record that does not decode, cannot be (`check_feature`),
    or lies under another's key is refused, counted and logged: it must not keep the others from being
    restored. Opens every partition that it meets for writing, so the streaming
    job must not run (`OperatorError` names its process otherwise).
    """
    report = RebuildReport()
    writer = store.writer()
    try:
        # What the batch makes of each image: a record, or None once a tombstone came. It keeps the log's order.
        batch: dict[_Id, FeatureRecord | None] = {}
        for key, value in records:
            report.read += 1
            try:
                identity, record = _decode(key, value)
            except CorruptError as error:
                report.refused += 1
                if report.refused <= _LOGGED_REFUSALS:
                    log.warning("event=feature_refused key=%r reason=%r", key, str(error))
                continue
            if record is None:
                report.removed += 1
                report.superseded += batch.get(identity) is not None
                batch[identity] = None
            elif not _newer(record, batch.get(identity)):
                report.superseded += 1
            else:
                report.superseded += batch.get(identity) is not None
                if identity in batch and batch[identity] is None:
                    # A tombstone, then the image again: the tombstone must reach the store first.
                    _flush(writer, batch, report)
                    batch = {}
                batch[identity] = record
            if len(batch) >= _BATCH:
                _flush(writer, batch, report)
                batch = {}
        _flush(writer, batch, report)
    finally:
        writer.close()
    log.info("event=features_rebuilt read=%d written=%d refused=%d", report.read, report.written, report.refused)
    return report


def _decode(key: bytes | None, value: bytes | None) -> tuple[_Id, FeatureRecord | None]:
    if value is not None:
        record = decode_feature(value)
        if key != feature_topic_key(record.image_key, record.extractor_id):
            raise CorruptError("the record belongs under another key of image-features")
        check_feature(record, time.time_ns() // 1_000_000)
        return (record.extractor_id, ImageKey(record.image_key)), record
    image_hex, _, extractor_id = (key or b"").partition(b"/")
    try:
        image_key = ImageKey(bytes.fromhex(image_hex.decode()))
        if len(image_key) != 16 or not extractor_id:
            raise ValueError("expected 32 hex digits, a slash and the extractor id")
        return (extractor_id.decode(), image_key), None
    except ValueError as error:
        raise CorruptError(f"no key of image-features: {error}") from error


def _newer(record: FeatureRecord, other: FeatureRecord | None) -> bool:
    return other is None or record.extracted_at_ms >= other.extracted_at_ms


def _flush(writer: FeatureWriter, batch: dict[_Id, FeatureRecord | None], report: RebuildReport) -> None:
    by_extractor: dict[str, dict[ImageKey, FeatureRecord | None]] = {}
    for (extractor_id, image_key), record in batch.items():
        by_extractor.setdefault(extractor_id, {})[image_key] = record
    for extractor_id, records in by_extractor.items():
        writer.delete_many([key for key, record in records.items() if record is None], extractor_id)
        stored = dict(zip(records, writer.get_many(list(records), extractor_id), strict=True))
        puts = [record for key, record in records.items() if record is not None and _newer(record, stored[key])]
        writer.put_many(puts)
        report.written += len(puts)
        report.superseded += sum(record is not None for record in records.values()) - len(puts)
        if puts:
            report.extractors[extractor_id] = report.extractors.get(extractor_id, 0) + len(puts)
