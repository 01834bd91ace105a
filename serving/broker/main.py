"""The broker process: `python -m serving.broker`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from generations.folder import Generations
from schemas.access.certificates import certificates
from schemas.access.exposure import check_grpc_exposure, open_host
from schemas.settings import Settings
from serving.broker.members import AsMany, NamedInFile
from serving.broker.service import BrokerService
from serving.exposition import serve_metrics
from serving.grpc_api import GrpcBackend, serve_until, start_server
from serving.process import run_process
from serving.recorded import RecordedQueries
from serving.traced.metrics import TraceCounts
from tracing.opening import tracing
from tracing.tracer import Tracer

log = logging.getLogger(__name__)


def main() -> int:
    async def body(settings: Settings, stop: asyncio.Event) -> None:
        with tracing(settings.trace_collector, "broker", f"broker-{settings.grpc_port}") as tracer:
            await _serve(settings, stop, tracer)

    return run_process("broker", body)


async def _serve(settings: Settings, stop: asyncio.Event, tracer: Tracer | None) -> None:
    check_grpc_exposure(settings)
    tier = settings.tier
    held = certificates(tier)
    members: AsMany | NamedInFile = AsMany(settings.replicas)
    address: Callable[[int, int], str] = tier.searcher
    if tier.addresses_file is not None:
        members = NamedInFile(tier.addresses_file)
        address = members.address
    broker = BrokerService(
        lambda shard, replica: GrpcBackend(address(shard, replica), held, tracer),
        settings.shards,
        members,
        generations=Generations(settings.layout.generations),
        recorded=RecordedQueries(settings.layout.recorded_queries, settings.recorded_queries),
    )
    try:
        credentials = None if held is None else held.for_server()
        server, port = await start_server(broker, settings.host, settings.grpc_port, credentials, tracer)
        if tracer is not None:
            broker.metrics.registry.register(TraceCounts(tracer))
        stop_metrics = serve_metrics(broker.metrics.registry, open_host(settings), port)
        broker.start()
        log.info("event=listening host=%s grpc_port=%d shards=%d", settings.host, port, settings.shards)
        try:
            await serve_until(server, stop)
        finally:
            stop_metrics()
    finally:
        await broker.close()
