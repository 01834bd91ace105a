"""The small HTTP server beside a gRPC port: metrics, and whether the process lives and answers."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from schemas.errors import OperatorError
from serving.exposition import METRICS_PORT_OFFSET, DiskSpace, serve_metrics
from tests.ports import free_block
from tests.support.serving.generations import Searcher, products, running, settings_in, wait
from tests.support.serving.world import MemoryTopic


def test_searcher_is_alive_at_once_and_ready_when_it_answers(tmp_path: Path) -> None:
    port = free_block(1)
    topic = MemoryTopic(2)
    topic.send(products())
    searcher = Searcher(settings_in(tmp_path), topic)
    stop = serve_metrics(searcher.families.registry, "127.0.0.1", port, lambda: searcher.host.is_ready)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port + METRICS_PORT_OFFSET}", trust_env=False) as client:
            assert [client.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 503]
            with running(searcher):
                wait(lambda: client.get("/readyz").status_code == 200)
                assert searcher.answered_by() == "live"
                assert "vitrine_searcher_ready" in client.get("/metrics").text
        with pytest.raises(OperatorError, match="cannot be bound"):
            serve_metrics(CollectorRegistry(), "127.0.0.1", port)
    finally:
        stop()


def test_disk_is_that_of_the_home_also_before_it_is_made(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(DiskSpace(str(tmp_path / "not" / "yet")))
    size = registry.get_sample_value("vitrine_disk_size_bytes")
    free = registry.get_sample_value("vitrine_disk_free_bytes")
    found = os.statvfs(tmp_path)
    assert size == found.f_blocks * found.f_frsize
    assert free is not None and 0 < free < size
