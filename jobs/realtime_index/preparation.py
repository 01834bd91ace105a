"""What must be so in Kafka before the streaming job is submitted, planned anew or as it was planned before."""

from __future__ import annotations

from feature_store.open import catalogue_is_missing, live_catalogue, make_features, make_stores
from feature_store.products import ProductReader
from jobs.pipeline.flink.kafka_properties import connector_properties
from jobs.pipeline.log_epoch import current_epoch, is_made_anew, note_after_loss
from jobs.realtime_index.recorded import record_catalogue
from jobs.realtime_index.stream_jobs import STREAM_JOB, StreamJob
from messaging.admin import ensure_topics, forget_positions, wait_for_kafka
from schemas.database.mapping import read_mapping
from schemas.log_epoch import read_epoch
from schemas.settings import Settings
from schemas.topics import CATALOGUE_GROUP


def prepare(job: StreamJob, settings: Settings) -> int:
    """Writes the file of secrets for Flink's clients, waits for Kafka, creates topics; returns the log's epoch.

    Of extraction apart from the rest, which reads no log, its store alone is made, and 0 is returned.
    """
    connector_properties(settings.kafka)  # a password may be another than when the job was planned
    if job == STREAM_JOB and settings.database_topic:
        read_mapping(settings.database_mapping)  # one that the changes' stage could not read is noticed here
    wait_for_kafka(settings.kafka)
    ensure_topics(settings)
    if job == STREAM_JOB:
        return _prepare_log(settings)
    make_features(settings)
    return 0


def _prepare_log(settings: Settings) -> int:
    """Makes log, stores and positions fit each other; returns the log's epoch.

    Where the catalogue store is missing (new, or lost), the whole log will be
    read again: the group's committed offsets stand for a store that is not there.
    So is a log that was made anew, in which they would be of other records.
    On a server, both stores are made here, once those are forgotten.

    Where the note of the epoch was lost with its machine and the store was not,
    a new epoch begins: else the store might take events for applied ones.
    """
    missing = catalogue_is_missing(settings)
    if missing or is_made_anew(settings.kafka, settings.layout.log_epoch):
        forget_positions(settings.kafka, CATALOGUE_GROUP)
    make_stores(settings)
    if not missing and read_epoch(settings.layout.log_epoch) is None:
        note_after_loss(settings.kafka, settings.layout.log_epoch, _newest(settings))
    record_catalogue(settings, begins_empty=missing)
    return current_epoch(settings.kafka, settings.layout.log_epoch)


def _newest(settings: Settings) -> int:
    """The greatest sequence in the catalogue store, read whole: a rebuilt one has no applied positions."""
    reader = ProductReader(live_catalogue(settings))
    newest = 0
    try:
        for partition in range(settings.event_partitions):
            greatest = max((record.sequence for record in reader.scan(partition)), default=0)
            newest = max(newest, greatest, reader.applied(partition))
    finally:
        reader.close()
    return newest
