"""Whether `catalogue-records` has every product of the catalogue store, and the one time that it must be given them.

The stage records each change, so a store that began empty is whole there. One
that was there before the topic is written into it once, before the job is
submitted: nobody else writes either then. The home notes for which topic that
was done.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import msgspec

from disk.durable import write_durably
from feature_store.open import live_catalogue
from feature_store.products import ProductReader
from messaging.admin import topic_id
from messaging.producer import EventProducer
from schemas.events.record import encode_record
from schemas.settings import Settings
from schemas.topics import CATALOGUE_RECORDS

log = logging.getLogger(__name__)


class Recorded(msgspec.Struct, frozen=True):
    """Kafka's id of the topic that has every product."""

    topic_id: str


def record_catalogue(settings: Settings, *, begins_empty: bool) -> int:
    """Returns how many products were written into the topic now. The streaming job must not run."""
    file = settings.layout.catalogue_recorded
    present = topic_id(settings.kafka, CATALOGUE_RECORDS)
    if _noted(file) == present:
        return 0
    written = 0 if begins_empty else _write_all(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_durably(file, msgspec.json.encode(Recorded(present)))
    return written


def _noted(file: Path) -> str:
    """The topic that has every product; empty where none has, or the note is damaged: to write them again is right."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Recorded).topic_id
    except FileNotFoundError:
        return ""
    except msgspec.MsgspecError as error:
        log.warning("event=catalogue_recorded_unreadable file=%s next=written_again problem=%s", file, error)
        return ""


def _write_all(settings: Settings) -> int:
    began, written = time.monotonic(), 0
    reader = ProductReader(live_catalogue(settings))
    try:
        with EventProducer(settings.kafka) as producer:
            for partition in range(settings.event_partitions):
                for record in reader.scan(partition):
                    producer.send(CATALOGUE_RECORDS, record.product_id.encode(), encode_record(record))
                    written += 1
    finally:
        reader.close()
    log.info("event=catalogue_recorded products=%d took_s=%.1f", written, time.monotonic() - began)
    return written
