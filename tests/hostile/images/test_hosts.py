"""Hosts that hang hold nobody else up: the extraction stage with its child process against real servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.load.image_hosts import ImageHosts, after, drip, dripped_headers, endless_redirects, picture, silence
from benchmarks.load.stage_loop import StageLoop
from jobs.pipeline.extraction.config import ExtractionConfig
from jobs.pipeline.extraction.extractors import ExtractorSpec
from tests.support.metrics import CountingMetrics
from vision.extractor import extractor_id
from vision.fetching.policy import FetchPolicy

ENCODER = "efficientnet_lite0"
HANGING = 120
PER_HOST = 8
HANG_S = 600.0
"""A fetch may take so long: what hangs, hangs beyond the end of the test."""
WAIT_S = 120.0
"""Far less than `HANG_S`, and far more than a healthy host's image takes on a loaded machine."""


@pytest.fixture
def hosts() -> Iterator[ImageHosts]:
    hosts = ImageHosts()
    yield hosts
    hosts.close()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[StageLoop]:
    config = ExtractionConfig(
        store_folder=str(tmp_path / "features"),
        feature_partitions=1,
        delta_partitions=2,
        extractors=(ExtractorSpec(extractor_id(ENCODER), ENCODER),),
        max_attempts=2,
        backoff_s=0.05,
        policy=FetchPolicy(allowed_networks=("127.0.0.0/8",), timeout_s=HANG_S),
        fetches_per_host=PER_HOST,
    )
    loop = StageLoop(config, CountingMetrics())
    yield loop
    loop.stop()


def test_healthy_hosts_are_not_held_up_by_hosts_that_hang(hosts: ImageHosts, loop: StageLoop) -> None:
    healthy = hosts.add(picture)
    loop.submit(f"http://{healthy}/first")
    loop.wait(f"http://{healthy}/first", WAIT_S)

    ways = (silence, drip, dripped_headers)
    apart = [hosts.add(ways[number % 3], f"127.0.1.{number + 1}") for number in range(HANGING)]
    together = [hosts.add(silence, "127.0.2.1") for _ in range(HANGING)]
    # A TLS handshake that is never answered.
    schemes = ["https" if number % 5 == 0 else "http" for number in range(HANGING)]
    hanging = [
        f"{scheme}://{host}/{image}"
        for image in range(3)
        for pair in zip(apart, together, strict=True)
        for scheme, host in zip(schemes, pair, strict=False)
    ]
    loop.submit(*hanging)
    # A host with a backlog that answers, but none too fast, stands before the others as well.
    busy = hosts.add(after(0.3), "127.0.4.1")
    loop.submit(*(f"http://{busy}/{number}" for number in range(300)))

    for number in range(4):
        known, new = f"http://{healthy}/{number}", f"http://{hosts.add(picture, f'127.0.3.{number + 1}')}/{number}"
        loop.submit(known, new)
        loop.wait(known, WAIT_S)
        loop.wait(new, WAIT_S)
        assert {known, new} <= loop.features.keys()

    refusing = hosts.add(endless_redirects, "127.0.5.1")
    loop.submit(f"http://{refusing}/", "http://127.0.6.1:9/nobody-listens")
    for url, reason in ((f"http://{refusing}/", "too_many_redirects"), ("http://127.0.6.1:9/nobody-listens", None)):
        loop.wait(url, WAIT_S)
        assert reason in (None, loop.letters[url][1].reason)
    assert not loop.features.keys() & set(hanging)
    assert not loop.letters.keys() & set(hanging)  # nothing of them was given up meanwhile
    assert hosts.most_connections["127.0.2.1"] <= PER_HOST  # many names, one server
    assert loop.longest_call_s < WAIT_S
