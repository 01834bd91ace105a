"""The searcher process: `python -m serving.searcher --shard 0 --replica 0`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from prometheus_client import CollectorRegistry

from schemas.access.certificates import certificates
from schemas.access.exposure import check_grpc_exposure, open_host
from schemas.settings import Settings
from serving.exposition import DiskSpace, serve_metrics
from serving.grpc_api import serve_until, start_server
from serving.local import LocalBackend
from serving.process import run_process
from serving.searcher.from_settings import build_host
from serving.searcher.metrics import SearcherMetricFamilies
from serving.traced.metrics import TraceCounts
from tracing.opening import tracing
from tracing.tracer import Tracer

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""How long a query's thread waits for the writer's turn with the GIL; Python's own 5 ms would be seen in p99."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.searcher", description="Serves one replica of one shard.")
    parser.add_argument("--shard", type=int, required=True, help="counted from 0")
    parser.add_argument("--replica", type=int, default=0, help="0 to VITRINE_REPLICAS - 1 (default 0)")
    parser.add_argument(
        "--accept-gap",
        action="store_true",
        help="without a snapshot, begin at the oldest delta kept even when older ones are gone",
    )
    options = parser.parse_args(arguments)
    sys.setswitchinterval(SWITCH_INTERVAL_S)

    async def body(settings: Settings, stop: asyncio.Event) -> None:
        instance = f"searcher-{options.shard}-{options.replica}"
        with tracing(settings.trace_collector, "searcher", instance) as tracer:
            await _serve(settings, stop, options.shard, options.replica, options.accept_gap, tracer)

    return run_process(f"searcher-{options.shard}-{options.replica}", body)


async def _serve(
    settings: Settings, stop: asyncio.Event, shard: int, replica: int, accept_gap: bool, tracer: Tracer | None
) -> None:
    check_grpc_exposure(settings)
    families = SearcherMetricFamilies(CollectorRegistry())
    host = build_host(
        settings, shard, replica, accept_gap=accept_gap, metrics=families.of(shard, replica), tracer=tracer
    )
    backend = LocalBackend(host)
    # The port comes first: a second process of this replica ends here, before it could touch the snapshot.
    tier = settings.tier
    held = certificates(tier)
    credentials = None if held is None else held.for_server()
    server, port = await start_server(backend, tier.host, tier.searcher_port(shard, replica), credentials, tracer)
    if tracer is not None:
        families.registry.register(TraceCounts(tracer))
    families.registry.register(DiskSpace(settings.home))
    stop_metrics = serve_metrics(families.registry, open_host(settings), port, lambda: host.is_ready)
    log.info("event=listening shard=%d replica=%d host=%s grpc_port=%d", shard, replica, settings.host, port)
    host.start()
    try:
        await serve_until(server, stop)
    finally:
        await asyncio.to_thread(host.stop)
        await backend.close()
        stop_metrics()
