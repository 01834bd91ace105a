"""The extraction process dies, with its images and with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from feature_store.open import feature_store
from jobs.pipeline.extraction.config import ExtractionConfig
from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.protocol import Embed, Failed, Order
from jobs.pipeline.extraction.supervisor import CRASHES, MAX_DEATHS, ChildSupervisor
from jobs.pipeline.extraction.worker import ExtractionWorker
from schemas.errors import OperatorError
from schemas.features.record import FeatureRecord
from schemas.ids import image_key
from tests.support.metrics import CountingMetrics
from vision.extractor import extractor_id
from vision.fetching.policy import FetchPolicy

ENCODER = "efficientnet_lite0"


def configuration(folder: Path) -> ExtractionConfig:
    return ExtractionConfig(
        store_folder=str(folder / "features"),
        feature_partitions=1,
        delta_partitions=1,
        extractors=(ExtractorSpec(extractor_id(ENCODER), ENCODER),),
        policy=FetchPolicy(allowed_folders=(str(folder),)),
    )


def draw(folder: Path, name: str, seed: int) -> str:
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    file = folder / name
    Image.fromarray(pixels).resize((64, 64)).save(file, "JPEG")
    return file.as_uri()


class KilledBy(ChildSupervisor):
    """The real process, killed the moment it is to decode a deadly image, as by a fault of a decoder."""

    deadly: frozenset[bytes] = frozenset()

    def _send(self, order: Order) -> None:
        super()._send(order)
        if isinstance(order, Embed) and order.image_key in self.deadly:
            os.kill(self.pid, signal.SIGKILL)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = CountingMetrics()
        config = configuration(folder)
        self.child = KilledBy(config.configure())
        self.features = feature_store(Path(config.store_folder), 1).writer()
        self.extraction = ExtractionWorker(self.child, self.features, config.main.extractor_id, self.metrics)

    def run(self, *urls: str) -> dict[str, FeatureRecord | Failed]:
        names = {bytes(image_key(url)): url for url in urls}
        self.extraction.begin(names)
        while self.extraction.waits(120.0):
            self.extraction.advance(0.1)
        return {names[key]: found for key, found in self.extraction.end().items()}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("process"))
    yield bench
    bench.child.close()
    bench.features.close()


def test_image_that_kills_the_process_is_found_and_the_others_are_extracted(bench: Bench) -> None:
    urls = [draw(bench.folder, f"good{n}.jpg", n) for n in range(5)]
    hostile = draw(bench.folder, "hostile.jpg", 100)
    bench.child.deadly = frozenset([image_key(hostile)])
    found = bench.run(*urls[:3], hostile, *urls[3:])
    given_up = found.pop(hostile)
    assert isinstance(given_up, Failed)
    assert given_up.reason == CRASHES
    assert sorted(found) == sorted(urls)
    assert all(isinstance(record, FeatureRecord) for record in found.values())
    assert bench.metrics.counts["process_restarts"] == MAX_DEATHS


def test_same_hostile_bytes_under_another_url_kill_nothing(bench: Bench) -> None:
    """Depends on the test before, which has shown what these bytes do."""
    copy = bench.folder / "copy.jpg"
    copy.write_bytes((bench.folder / "hostile.jpg").read_bytes())
    pid = bench.child.pid
    bench.child.deadly = frozenset([image_key(copy.as_uri())])
    (failure,) = bench.run(copy.as_uri()).values()
    assert isinstance(failure, Failed)
    assert failure.reason == CRASHES
    assert bench.child.pid == pid


def test_images_with_equal_bytes_survive_the_death_of_the_one_being_embedded(bench: Bench) -> None:
    first = draw(bench.folder, "equal1.jpg", 7_000)
    second = draw(bench.folder, "equal2.jpg", 7_000)
    bench.child.deadly = frozenset()
    before = bench.metrics.counts["process_restarts"]
    kills = iter([True])

    def kill_once(order: Order) -> None:
        ChildSupervisor._send(bench.child, order)
        if isinstance(order, Embed) and next(kills, False):
            os.kill(bench.child.pid, signal.SIGKILL)

    bench.child._send = kill_once  # type: ignore[method-assign]
    found = bench.run(first, second)
    del bench.child._send  # type: ignore[method-assign]
    records = [record for record in found.values() if isinstance(record, FeatureRecord)]
    assert len(records) == 2
    assert records[0].vector == records[1].vector
    assert bench.metrics.counts["process_restarts"] == before + 1


def test_process_is_nicer_than_its_parent_and_first_to_go_when_memory_ends(bench: Bench) -> None:
    bench.run(draw(bench.folder, "any.jpg", 9))
    process = psutil.Process(bench.child.pid)
    assert process.nice() == min(19, psutil.Process().nice() + 10)
    assert Path(f"/proc/{process.pid}/oom_score_adj").read_text().strip() == "500"


OTHER = "efficientnet_lite0-00000000-p1-1280"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (ExtractorSpec(OTHER, ENCODER), f"submitted for {OTHER}"),
        (ExtractorSpec(extractor_id(ENCODER), ENCODER, "nowhere.pth"), "nowhere.pth cannot be read"),
    ],
    ids=["another network", "absent weights"],
)
def test_process_that_cannot_do_the_jobs_work_is_the_operators_to_mend(
    tmp_path: Path, spec: ExtractorSpec, told: str
) -> None:
    child = ChildSupervisor(replace(configuration(tmp_path), extractors=(spec,)).configure())
    deadline = time.monotonic() + 300
    try:
        with pytest.raises(OperatorError, match=f"cannot start.*{told}"):
            while time.monotonic() < deadline:
                child.reports(1.0)
    finally:
        child.close()
    assert not child.ready


def test_process_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """One that PyTorch embeds in, as where no network is kept."""
    script = (
        "import sys, time\n"
        "from jobs.pipeline.extraction.supervisor import ChildSupervisor\n"
        "from jobs.pipeline.extraction.config import ExtractionConfig\n"
        "from jobs.pipeline.extraction.extractors import ExtractorSpec\n"
        f"spec = ExtractorSpec({extractor_id(ENCODER)!r}, {ENCODER!r})\n"
        "config = ExtractionConfig('unused', 1, 1, (spec,))\n"
        "child = ChildSupervisor(config.configure())\n"
        "while not child.ready: child.reports(1.0)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = {**os.environ, "VITRINE_NETWORKS": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    assert psutil.wait_procs([child], timeout=120)[1] == []
