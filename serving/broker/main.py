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

log = logging.getLogger(__name__)


def main() -> int:
    return run_process("broker", _serve)


async def _serve(settings: Settings, stop: asyncio.Event) -> None:
    check_grpc_exposure(settings)
    tier = settings.tier
    held = certificates(tier)
    members: AsMany | NamedInFile = AsMany(settings.replicas)
    address: Callable[[int, int], str] = tier.searcher
    if tier.addresses_file is not None:
        members = NamedInFile(tier.addresses_file)
        address = members.address
    broker = BrokerService(
        lambda shard, replica: GrpcBackend(address(shard, replica), held),
        settings.shards,
        members,
        generations=Generations(settings.layout.generations),
        recorded=RecordedQueries(settings.layout.recorded_queries, settings.recorded_queries),
    )
    try:
        credentials = None if held is None else held.for_server()
        server, port = await start_server(broker, settings.host, settings.grpc_port, credentials)
        stop_metrics = serve_metrics(broker.metrics.registry, open_host(settings), port)
        broker.start()
        log.info("event=listening host=%s grpc_port=%d shards=%d", settings.host, port, settings.shards)
        try:
            await serve_until(server, stop)
        finally:
            stop_metrics()
    finally:
        await broker.close()
