"""A searcher from the settings: used by its own process and by the embedded blender alike."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from indexing.look.first import first_look
from messaging.consumer import PartitionsReader
from schemas.errors import OperatorError
from schemas.settings import Settings
from schemas.topics import INDEX_DELTAS
from serving.searcher.holding.slot import Slot
from serving.searcher.host import SearcherHost
from serving.searcher.metrics import SearcherMetricFamilies, SearcherMetrics
from serving.traced.feed import AppliedDeltas
from tracing.tracer import Tracer
from vision.extractor import extractor_id


def build_host(
    settings: Settings,
    shard: int,
    replica: int,
    *,
    accept_gap: bool = False,
    metrics: SearcherMetrics | None = None,
    tracer: Tracer | None = None,
) -> SearcherHost:
    """The searcher of a slot, not started yet.

    A shard beyond `settings.shards` is legal: a full index may have more
    shards, and the slot holds nothing until the alias names one that has.
    Raises `OperatorError` for a replica that is not set up.
    """
    if shard < 0 or not 0 <= replica < settings.replicas:
        raise OperatorError(
            f"shard {shard}, replica {replica}: shards count from 0, and the settings have replicas 0 to "
            f"{settings.replicas - 1}; set VITRINE_REPLICAS, alike for every process"
        )
    slot = Slot(
        settings,
        shard,
        replica,
        first_look(extractor_id(settings.encoder, settings.weights), settings.layout.looks),
        metrics or SearcherMetricFamilies(CollectorRegistry()).of(shard, replica),
        lambda offsets: PartitionsReader(settings.kafka, INDEX_DELTAS, offsets, traced=tracer is not None),
        accept_gap,
        None if tracer is None else AppliedDeltas(tracer, shard, replica),
    )
    return SearcherHost(slot)
