"""The blender process: `python -m serving.blender`, or with `--embedded` the whole serving tier in one process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter

from schemas.access.certificates import certificates
from schemas.access.exposure import check_http_exposure
from schemas.errors import OperatorError, TransientError
from schemas.features.stored import feature_bytes
from schemas.settings import Settings
from serving.backend import SearchBackend
from serving.blender.asking.merging import Merging
from serving.blender.embedding.encoders import Encoders
from serving.blender.embedding.items import PhotoItems
from serving.blender.embedding.meanings import Meanings
from serving.blender.embedding.memory import FreedMemory, one_arena
from serving.blender.embedding.vision_embedder import Note, first_extractor, load_extractor, query_limits
from serving.blender.http.api import create_app
from serving.blender.http.connection.server import HttpServer, http_limits, http_server
from serving.blender.http.connection.tls import server_tls
from serving.blender.http.front_door import AllowedHosts
from serving.blender.http.keys import KeyRing
from serving.blender.http.uploads import Uploads
from serving.blender.metrics import BlenderMetrics, broker_ejected
from serving.blender.publication import Publication
from serving.blender.ranking.models import LearnedRanks
from serving.blender.reports import Reports
from serving.blender.service import BlenderService
from serving.blender.showing.examples import Examples
from serving.blender.showing.pictures import Fetch, Pictures
from serving.blender.writing.clicks import Clicks
from serving.blender.writing.erasures import Erasures
from serving.blender.writing.search_log import SearchLog
from serving.grpc_api import GrpcBackend
from serving.guarded import Guarded
from serving.health import State
from serving.process import run_process
from serving.recorded import RecordedQueries
from serving.several import Several
from serving.traced.http import TracedRequests
from serving.traced.metrics import TraceCounts
from tracing.opening import tracing
from tracing.producing import stamp_of
from tracing.tracer import Tracer
from vision.detector.detecting import Detector
from vision.fetching.fetch import fetch
from vision.fetching.policy import FetchPolicy

log = logging.getLogger(__name__)

BROKER_CONFIRM_S = 2.0
"""A broker that does not say its status for so long is silent: it takes less to put its searchers aside."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.blender", description="Serves search over HTTP.")
    parser.add_argument(
        "--embedded", action="store_true", help="run the broker and one searcher per shard in this process"
    )
    options = parser.parse_args(arguments)
    one_arena()

    async def body(settings: Settings, stop: asyncio.Event) -> None:
        check_http_exposure(settings)
        # The port comes first: a second blender ends here, before it connects to anything.
        with (
            listening(settings.host, settings.http_port) as listener,
            tracing(settings.trace_collector, "blender", f"blender-{settings.http_port}") as tracer,
        ):
            if options.embedded:
                # Here, since it brings faiss along, which a blender of its own process has no use for.
                from serving.blender.embedded import embedded_backend

                async with embedded_backend(settings, tracer) as (backend, registries):
                    await _serve(settings, stop, listener, backend, registries, tracer)
            else:
                await _serve_remote(settings, stop, listener, tracer)

    return run_process("blender", body)


async def _serve_remote(
    settings: Settings, stop: asyncio.Event, listener: socket.socket, tracer: Tracer | None
) -> None:
    tier = settings.tier
    registry = CollectorRegistry()
    ejected = broker_ejected(registry)
    held = certificates(tier)

    def guarded(address: str) -> Guarded:
        put_aside = ejected.labels(address)
        return Guarded(
            GrpcBackend(address, held, tracer),
            f"the broker at {address}",
            confirm_s=BROKER_CONFIRM_S,
            changed=lambda state: put_aside.set(state is State.EJECTED),
        )

    tries = Counter("vitrine_blender_second_tries", "Brokers that failed or were slow", ["why"], registry=registry)

    def again(error: TransientError | None) -> None:
        tries.labels("slow" if error is None else "failed").inc()

    backend = Several([guarded(address) for address in tier.all_brokers], again)
    try:
        await _serve(settings, stop, listener, backend, (registry,), tracer)
    finally:
        await backend.close()


async def _serve(
    settings: Settings,
    stop: asyncio.Event,
    listener: socket.socket,
    backend: SearchBackend,
    registries: tuple[CollectorRegistry, ...],
    tracer: Tracer | None,
) -> None:
    keys = KeyRing(Path(settings.api_keys_file)) if settings.api_keys_file else None
    tls = server_tls(settings)
    # With torchvision's weights this starts a process: seconds.
    extractor, generation = await asyncio.to_thread(first_extractor, settings)
    metrics = BlenderMetrics()
    if tracer is not None:
        metrics.registry.register(TraceCounts(tracer))
    memory = FreedMemory()
    photos = RecordedQueries(settings.layout.recorded_photos / str(settings.http_port), settings.recorded_queries)
    encoders = Encoders(
        extractor,
        generation,
        partial(load_extractor, settings, _noting(photos, asyncio.get_running_loop())),
        metrics,
        most_waiting=settings.query_max_waiting,
        memory=memory,
        most_known=settings.query_known_photos,
    )
    kept = settings.search_log
    words = settings.search_log_text == "words"
    service = BlenderService(
        backend,
        encoders,
        metrics,
        Publication(settings.layout.generations),
        search_timeout_s=settings.search_timeout_s,
        fields=settings.indexed.fields,
        profiles=settings.profiles,
        search_log=SearchLog(settings.kafka, metrics, words=words) if kept else None,
        meanings=Meanings(settings.layout.generations, metrics) if settings.meaning else None,
        ranks=LearnedRanks(settings.layout.generations, metrics) if settings.learned_rank else None,
        items=PhotoItems(
            query_limits(settings),
            choose=settings.query_items,
            detector=Detector() if settings.query_detector else None,
            most_waiting=settings.query_max_waiting,
            most_known=settings.query_known_photos,
            memory=memory,
        ),
        merging=Merging(settings.doubles == "merge", settings.doubles_likeness),
    )
    uploads = Uploads(settings.query_max_bytes, settings.http_max_upload_bytes, memory)
    pictures = Pictures(_file_fetch(settings))
    examples = Examples(settings.layout.sample)
    hosts = AllowedHosts((settings.host, *settings.allowed_hosts))
    erasures = Erasures(settings.kafka, keyed=keys is not None, stamp=stamp_of(tracer))
    app = create_app(
        service,
        pictures,
        uploads,
        registries,
        examples=examples,
        hosts=hosts,
        keys=keys,
        erasures=erasures,
        clicks=Clicks(settings.kafka, metrics) if kept else None,
        reports=Reports(settings.kafka) if kept else None,
    )
    traced = app if tracer is None else TracedRequests(app, tracer)
    server = http_server(traced, http_limits(settings), None if tls is None else tls.context, metrics)
    log.info("event=listening host=%s http_port=%d extractor=%s", settings.host, settings.http_port, extractor)
    stopping = _stop_with(server, stop, service, settings.http_drain_s)
    beside = [asyncio.create_task(stopping), asyncio.create_task(photos.run())]
    if tls is not None:
        beside.append(asyncio.create_task(tls.follow()))
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in beside:
            task.cancel()
        await photos.write()


def _noting(photos: RecordedQueries, loop: asyncio.AbstractEventLoop) -> Note:
    """Features of photos go from the thread that embeds to the sample, which lives on the loop."""

    def note(extractor_id: str, rows: NDArray[np.float32]) -> None:
        stored = np.stack([np.frombuffer(each, np.uint8) for each in feature_bytes(rows, extractor_id)])
        loop.call_soon_threadsafe(photos.offer, extractor_id, stored)

    return note


def _file_fetch(settings: Settings) -> Fetch:
    """The catalogue's policy, for what no browser can open itself."""
    policy = replace(FetchPolicy.from_settings(settings), allowed_schemes=("file", "s3"))
    return lambda url: fetch(url, policy)


async def _stop_with(server: HttpServer, stop: asyncio.Event, service: BlenderService, drain_s: float) -> None:
    await stop.wait()
    if drain_s:
        log.info("event=draining seconds=%g", drain_s)
        service.following.leaving = True
        await asyncio.sleep(drain_s)
    server.should_exit = True


def listening(host: str, port: int) -> socket.socket:
    """The socket that the blender serves on. Raises `OperatorError` where the port cannot be bound."""
    try:
        listener = socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise OperatorError(
            f"port {port} on {host} cannot be bound ({error}); stop what listens there or set VITRINE_HTTP_PORT"
        ) from error
    # Connections inherit it; asyncio sets it only on sockets that name their protocol, as a listener's do not. Without
    # it an answer's body waits for the acknowledgement of its head: 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
