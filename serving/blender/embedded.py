"""The serving tier in the blender's own process: a broker, and a searcher of each shard, on threads."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from generations.folder import Generations
from schemas.settings import Settings
from serving.backend import SearchBackend
from serving.broker.service import BrokerService
from serving.local import LocalBackend
from serving.recorded import RecordedQueries
from serving.searcher.from_settings import build_host
from serving.searcher.host import SearcherHost
from serving.searcher.main import SWITCH_INTERVAL_S
from serving.searcher.metrics import SearcherMetricFamilies
from tracing.tracer import Tracer


@asynccontextmanager
async def embedded_backend(
    settings: Settings, tracer: Tracer | None = None
) -> AsyncIterator[tuple[SearchBackend, tuple[CollectorRegistry, ...]]]:
    """The broker to ask, which whoever asks closes, and what there is to show at /metrics; searchers end with it."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    hosts: list[SearcherHost] = []
    families = SearcherMetricFamilies(CollectorRegistry())

    def connect(shard: int, replica: int) -> SearchBackend:
        """Also for shards that a full index adds later."""
        host = build_host(settings, shard, replica, metrics=families.of(shard, replica), tracer=tracer)
        hosts.append(host)
        host.start()
        return LocalBackend(host)

    broker = BrokerService(
        connect,
        settings.shards,
        generations=Generations(settings.layout.generations),
        recorded=RecordedQueries(settings.layout.recorded_queries, settings.recorded_queries),
    )
    try:
        broker.start()
        yield broker, (broker.metrics.registry, families.registry)
    finally:
        await asyncio.gather(*(asyncio.to_thread(host.stop) for host in hosts))
