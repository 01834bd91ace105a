"""Images per second through the extraction stage against the network alone, in the same run.

    python -m benchmarks.stream.extraction [--images 500] [--rounds 3] [--threads 1]

The stage is fed as Flink feeds it: batches of requests, file URLs, its child
process, RocksDB, records out. The network alone embeds the very same pictures,
decoded and resized beforehand, in batches of the same size and with the same
threads. The two take turns; figures are medians over the rounds, each of
pictures never seen before. The stage's child also decodes, on the other cores,
and runs at a lower priority: on a busy machine the network alone gets more,
and only the CPU time per image (the stage's with fetching, decoding, storing
and both processes in it) can be compared.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.harness.result import write_result
from jobs.pipeline.extraction.config import ExtractionConfig
from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.stage import ExtractionStage
from jobs.pipeline.stage import Record
from schemas.events.extract_request import ExtractRequest, decode_requests, encode_request
from schemas.ids import feature_partition, image_id, image_key
from schemas.topics import EXTRACT_REQUESTS, IMAGE_FEATURES
from vision.embedder import Embedder, create_embedder
from vision.environment import MALLOC_ENV
from vision.extractor import extractor_id
from vision.fetching.policy import FetchPolicy
from vision.pictures.decode import ImageLimits

SIDE = 320
PARTITIONS = 4


class Counters:
    """The `Metrics` port, for this run's totals."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] += n

    def gauge(self, name: str, value: float) -> None:
        """Gauges say nothing about a run."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500, help="pictures in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the network")
    parser.add_argument("--batch", type=int, default=32, help="pictures in a batch, of requests and of the network")
    parser.add_argument("--encoder", default="efficientnet_lite0")
    arguments = parser.parse_args()
    if any(name not in os.environ for name in MALLOC_ENV):
        # The stage starts its child so; the network alone is to have the same.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "benchmarks.stream.extraction", *sys.argv[1:]],
            os.environ | MALLOC_ENV,
        )
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-extraction-") as name:
        measure(Path(name), arguments)


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    config = ExtractionConfig(
        store_folder=str(folder / "features"),
        feature_partitions=PARTITIONS,
        delta_partitions=2,
        extractors=(ExtractorSpec(extractor_id(arguments.encoder), arguments.encoder),),
        threads=arguments.threads,
        batch=arguments.batch,
        policy=FetchPolicy(allowed_folders=(str(folder),)),
    )
    rounds = [draw(folder / f"{number}", number, arguments.images) for number in range(arguments.rounds)]
    warm = draw(folder / "warm", arguments.rounds, arguments.batch)
    stage = ExtractionStage(config)
    counters = Counters()
    opened = time.perf_counter()
    stage.open(counters)
    try:
        run_stage(stage, config, warm)
        start_s = time.perf_counter() - opened
        embedder = create_embedder(arguments.encoder, "", "auto", arguments.threads)
        run_network(embedder, warm, arguments.batch)
        counters.counts.clear()
        through, alone = [], []
        stage_cpu_s = alone_cpu_s = 0.0
        for files in rounds:
            before = cpu_s()
            through.append(len(files) / run_stage(stage, config, files))
            stage_cpu_s += cpu_s() - before
            took, took_cpu_s = run_network(embedder, files, arguments.batch)
            alone.append(len(files) / took)
            alone_cpu_s += took_cpu_s
    finally:
        stage.close()
    images = sum(len(files) for files in rounds)
    if counters.counts["extracted"] != images:
        raise SystemExit(f"the stage extracted {counters.counts['extracted']} of {images} images; nothing is measured")
    write_result(
        "extraction",
        {
            "encoder": arguments.encoder,
            "images_per_round": arguments.images,
            "rounds": arguments.rounds,
            "side_px": SIDE,
            "batch": arguments.batch,
            "network_threads": arguments.threads,
            "urls": "file",
        },
        {
            "stage_images_per_s": round(median(through), 1),
            "network_alone_images_per_s": round(median(alone), 1),
            "stage_share_of_network": round(median(t / a for t, a in zip(through, alone, strict=True)), 3),
            "stage_images_per_s_rounds": [round(figure, 1) for figure in through],
            "network_alone_images_per_s_rounds": [round(figure, 1) for figure in alone],
            "network_busy_share_in_stage": round(
                counters.counts["cnn_us"] / 1e6 / sum(len(f) / t for f, t in zip(rounds, through, strict=True)), 3
            ),
            "network_ms_per_image_in_stage": round(counters.counts["cnn_us"] / images / 1000, 2),
            "stage_cpu_ms_per_image": round(stage_cpu_s * 1000 / images, 2),
            "network_alone_cpu_ms_per_image": round(alone_cpu_s * 1000 / images, 2),
            "open_to_first_batch_s": round(start_s, 1),
        },
    )


def draw(folder: Path, seed: int, count: int) -> list[Path]:
    """JPEGs of shapes on a textured ground, all different."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    files = []
    for number in range(count):
        coarse = rng.integers(0, 255, (10, 10, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        pen = ImageDraw.Draw(picture)
        for _ in range(12):
            left, top, width, height = (int(v) for v in rng.integers(10, SIDE // 2, 4))
            colour = tuple(int(v) for v in rng.integers(0, 255, 3))
            pen.ellipse((left, top, left + width, top + height), fill=colour)
        file = folder / f"{number}.jpg"
        picture.save(file, "JPEG", quality=88)
        files.append(file)
    return files


def run_stage(stage: ExtractionStage, config: ExtractionConfig, files: list[Path]) -> float:
    """Seconds until every image's feature has come out."""
    records = []
    for offset, file in enumerate(files):
        url = file.as_uri()
        request = ExtractRequest(
            product_id=file.stem,
            image_id=image_id(file.stem, url).hex(),
            image_key=image_key(url).hex(),
            url=url,
            vector_seq=offset + 1,
            extractor_id=config.main.extractor_id,
        )
        records.append(record(request, offset))
    features = 0
    started = time.perf_counter()
    while records:
        batch, records = records[: config.batch], records[config.batch :]
        for number, out in enumerate(stage.process(batch)):
            features += out.topic == IMAGE_FEATURES
            if out.topic == EXTRACT_REQUESTS:
                records += [record(request, number) for request in decode_requests(out.value)]
    took = time.perf_counter() - started
    if features != len(files):
        raise SystemExit(f"{features} features of {len(files)} images came out; nothing is measured")
    return took


def record(request: ExtractRequest, offset: int) -> Record:
    """As the topic would hold it."""
    partition = feature_partition(bytes.fromhex(request.image_key), PARTITIONS)
    return Record(None, encode_request(request), partition, offset, time.time_ns() // 1_000_000)


def cpu_s() -> float:
    """CPU seconds that this process and the stage's child have used."""
    processes = [psutil.Process(), *psutil.Process().children()]
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


def run_network(embedder: Embedder, files: list[Path], batch: int) -> tuple[float, float]:
    """Seconds, and CPU seconds, for the network over the prepared pictures."""
    limits = ImageLimits()
    prepared: list[NDArray[np.uint8]] = [embedder.prepare(file.read_bytes(), limits) for file in files]
    started, started_cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(prepared), batch):
        embedder.embed(prepared[first : first + batch])
    return time.perf_counter() - started, time.process_time() - started_cpu


if __name__ == "__main__":
    main()
