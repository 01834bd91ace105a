"""Pictures made to harm: each is answered or refused, in bounded memory, and holds no ordinary one up for good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.load.image_hosts import ImageHosts, picture
from benchmarks.load.stage_loop import StageLoop
from jobs.pipeline.extraction.config import ExtractionConfig
from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.supervisor import CRASHES
from schemas.errors import RejectedError
from tests.hostile.images.files import hostile_files
from tests.support.metrics import CountingMetrics
from vision.extractor import extractor_id
from vision.fetching.policy import FetchPolicy
from vision.pictures.decode import ImageLimits, decode_image

ENCODER = "efficientnet_lite0"
FILES = hostile_files()
WAIT_S = 240.0
CHILD_MIB = 2560
"""What docs/operations.md says of the extraction process."""
REASONS = {
    "image_empty",
    "image_too_large",
    "image_too_many_pixels",
    "image_too_complex",
    "image_format",
    "image_broken",
}


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_a_picture_or_refused(name: str) -> None:
    try:
        image = decode_image(FILES[name], ImageLimits(max_pixels=1_000_000))
    except RejectedError as error:
        assert error.reason in REASONS
        assert error.detail
    else:
        assert image.mode == "RGB"
        assert image.width * image.height <= 1_000_000


@pytest.fixture
def hosts() -> Iterator[ImageHosts]:
    hosts = ImageHosts()
    yield hosts
    hosts.close()


def test_stage_answers_or_refuses_all_of_them_in_bounded_memory(hosts: ImageHosts, tmp_path: Path) -> None:
    async def hostile(hosts: ImageHosts, path: str, writer: asyncio.StreamWriter) -> None:
        body = bodies[int(path[1:])]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    bodies = list(FILES.values())
    metrics = CountingMetrics()
    config = ExtractionConfig(
        store_folder=str(tmp_path / "features"),
        feature_partitions=1,
        delta_partitions=2,
        extractors=(ExtractorSpec(extractor_id(ENCODER), ENCODER),),
        policy=FetchPolicy(allowed_networks=("127.0.0.0/8",), timeout_s=60.0),
    )
    loop = StageLoop(config, metrics)
    try:
        shop, enemy = hosts.add(picture), hosts.add(hostile, "127.0.1.1")
        urls = {name: f"http://{enemy}/{number}" for number, name in enumerate(FILES)}
        loop.submit(*urls.values())
        loop.submit(*(f"http://{shop}/{number}" for number in range(20)))
        for number in range(20):
            loop.wait(f"http://{shop}/{number}", WAIT_S)
        for url in urls.values():
            loop.wait(url, WAIT_S)
        assert len(loop.features) >= 20 + 5  # among them what is odd and whole
        refused = {name: loop.letters[url][1] for name, url in urls.items() if url in loop.letters}
        assert {name for name, letter in refused.items() if letter.reason not in REASONS | {CRASHES}} == set()
        assert metrics.counts["process_restarts"] == 0
        assert _peak_mib(loop.child_pid) < CHILD_MIB
    finally:
        loop.stop()


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} tells no peak")
