"""The streaming job: two regions, catalogue and extraction, that share nothing but Kafka; changes, where there are any.

They are apart so that a burst of new images never delays a price or a
removal, and so that the failure of one restarts only that one. The third
makes product events of a shop's database, where a setting names its topic.
Which of them one job has, `jobs.realtime_index.stream_jobs` says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from pyflink.table import StreamTableEnvironment

from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.changes.stage import ChangesConfig, ChangesStage
from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.stage import ExtractionConfig, ExtractionStage
from jobs.pipeline.flink.topology import KafkaSink, KafkaSource, Region, add_region
from jobs.pipeline.stage import Stage
from jobs.pipeline.traced.stage import TracedStage
from jobs.realtime_index.stream_jobs import CATALOGUE, CHANGES, EXTRACTION, StreamJob
from schemas.access.traces import TraceCollector
from schemas.settings import Settings
from schemas.topics import (
    CATALOGUE_GROUP,
    CATALOGUE_RECORDS,
    CHANGES_GROUP,
    DEAD_LETTERS,
    EXTRACT_REQUESTS,
    EXTRACTION_GROUP,
    IMAGE_FEATURES,
    INDEX_DELTAS,
    PRODUCT_EVENTS,
)

CATALOGUE_BATCH = 4000
EXTRACTION_BUNDLE_MS = 20
"""Flink looks at each region's bundle once a bundle time, also while nothing happens; a picture takes longer anyway."""


def build(
    tables: StreamTableEnvironment, settings: Settings, extractors: Sequence[ExtractorSpec], epoch: int, job: StreamJob
) -> None:
    """Attaches the job's regions to that of `tables`. Nothing runs yet. `extractors`: the main one first."""
    sink = KafkaSink(
        settings.kafka,
        (INDEX_DELTAS, EXTRACT_REQUESTS, PRODUCT_EVENTS, IMAGE_FEATURES, CATALOGUE_RECORDS, DEAD_LETTERS),
    )
    stages = job.stages(settings)
    if CATALOGUE in stages:
        add_region(tables, _catalogue(settings, extractors, epoch), sink)
    if EXTRACTION in stages:
        add_region(tables, _extraction(settings, extractors), sink)
    if CHANGES in stages:
        add_region(tables, _changes(settings), sink)


def _catalogue(settings: Settings, extractors: Sequence[ExtractorSpec], epoch: int) -> Region:
    traces = settings.trace_collector
    config = CatalogueConfig.from_settings(settings, [spec.extractor_id for spec in extractors], epoch)
    return Region(
        CATALOGUE,
        KafkaSource(PRODUCT_EVENTS, settings.kafka, CATALOGUE_GROUP),
        _traced(CATALOGUE, PRODUCT_EVENTS, partial(CatalogueStage, config), traces),
        settings.bundle_time_ms,
        CATALOGUE_BATCH,
        traced=traces is not None,
    )


def _extraction(settings: Settings, extractors: Sequence[ExtractorSpec]) -> Region:
    traces = settings.trace_collector
    config = ExtractionConfig.from_settings(settings, extractors)
    return Region(
        EXTRACTION,
        KafkaSource(EXTRACT_REQUESTS, settings.kafka, EXTRACTION_GROUP, max_poll_records=settings.extraction_batch * 2),
        _traced(EXTRACTION, EXTRACT_REQUESTS, partial(ExtractionStage, config), traces),
        max(settings.bundle_time_ms, EXTRACTION_BUNDLE_MS),
        settings.extraction_batch,
        traced=traces is not None,
    )


def _changes(settings: Settings) -> Region:
    return Region(
        CHANGES,
        KafkaSource(settings.database_topic, settings.kafka, CHANGES_GROUP),
        partial(ChangesStage, ChangesConfig(settings.database_topic, settings.database_mapping)),
        settings.bundle_time_ms,
        CATALOGUE_BATCH,
    )


def _traced(
    name: str, topic: str, factory: Callable[[], Stage], collector: TraceCollector | None
) -> Callable[[], Stage]:
    return factory if collector is None else partial(TracedStage, factory, name, topic, collector)
