"""The four service processes over real Kafka, and the embedded form: deltas in, a photo's answer out, SIGTERM."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from messaging.producer import EventProducer
from messaging.ranges import read_all
from schemas.deltas.delta import DeltaBatch, Progress, encode_deltas
from schemas.events.event import Heartbeat, decode_event
from schemas.ids import sequence, shard_of_product
from schemas.topics import INDEX_DELTAS, PRODUCT_EVENTS
from tests.ports import free_block
from tests.support.pictures.embedding import embed_files
from tests.support.serving.world import WATERMARK_MS, listed, removed
from vision.embedder import Embedder, create_embedder
from vision.extractor import extractor_id
from vision.pictures.decode import ImageLimits

ENCODER = "efficientnet_lite0"
SHARDS = 2
LIMITS = ImageLimits()

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return create_embedder(ENCODER, device="cpu")


def photo(seed: int) -> bytes:
    """Coloured stripes, others for every seed."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (int(random.integers(2, 9)), int(random.integers(2, 9)), 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((240, 240), Image.Resampling.NEAREST).save(file, "JPEG", quality=90)
    return file.getvalue()


def other_view(data: bytes) -> bytes:
    """The same picture in another format, compressed harder."""
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).save(file, "WEBP", quality=80)
    return file.getvalue()


def send(bootstrap: str, deltas: dict[int, DeltaBatch]) -> None:
    producer = EventProducer(bootstrap)
    for shard, batch in deltas.items():
        producer.send(INDEX_DELTAS, None, encode_deltas(batch), shard)
    producer.flush()


def batches() -> dict[int, DeltaBatch]:
    progress = [Progress(partition, 2, sequence(1, 1), WATERMARK_MS) for partition in range(2)]
    return {s: DeltaBatch(extractor_id=extractor_id(ENCODER), progress=list(progress)) for s in range(SHARDS)}


@contextmanager
def process(environment: dict[str, str], folder: Path, *module: str) -> Iterator[subprocess.Popen[bytes]]:
    """One service; its output goes to a file, shown when it ends badly."""
    output = folder / f"{'-'.join(module)}.log"
    with output.open("ab") as file:
        running = subprocess.Popen([sys.executable, "-m", *module], env=environment, stderr=file, stdout=file)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            code = running.wait(120)
        except subprocess.TimeoutExpired:
            running.kill()
            raise
        assert code == 0, output.read_text()


def eventually(condition: Callable[[], bool], what: str, timeout_s: float = 120.0) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.05)


@pytest.mark.parametrize("embedded", [False, True], ids=["processes", "embedded"])
def test_deltas_in_kafka_become_answers_to_photos(
    kafka_broker: str, tmp_path: Path, embedder: Embedder, embedded: bool
) -> None:
    ports = free_block(8)
    environment = {
        **os.environ,
        "VITRINE_HOME": str(tmp_path),
        "VITRINE_KAFKA_BOOTSTRAP": kafka_broker,
        "VITRINE_SHARDS": str(SHARDS),
        "VITRINE_EVENT_PARTITIONS": "2",
        "VITRINE_GRPC_PORT": str(ports),
        "VITRINE_HTTP_PORT": str(ports + 4),
        "VITRINE_ENCODER": ENCODER,
        "VITRINE_HEARTBEAT_INTERVAL_MS": "100",
    }
    name = "e" if embedded else "p"  # both forms read the same topic
    seeds = {f"{name}{n}": n for n in range(12)}
    deltas = batches()
    vectors = embed_files(embedder, [photo(seed) for seed in seeds.values()], LIMITS)
    for product, vector in zip(seeds, vectors, strict=True):
        listed(deltas[shard_of_product(product, SHARDS)], product, [vector])
    send(kafka_broker, deltas)

    def services(stack: ExitStack) -> None:
        modules = [("serving.blender", "--embedded")] if embedded else [
            *(("serving.searcher", "--shard", str(shard)) for shard in range(SHARDS)),
            ("serving.broker",), ("serving.blender",), ("serving.heartbeat",),
        ]  # fmt: skip
        for module in modules:
            stack.enter_context(process(environment, tmp_path, *module))

    with httpx.Client(base_url=f"http://127.0.0.1:{ports + 4}", timeout=60) as client:

        def found(product: str) -> list[str]:
            files = {"image": ("photo.webp", other_view(photo(seeds[product])))}
            answer = client.post("/v1/search/image?limit=5", files=files).json()
            return [result["product_id"] for result in answer["results"]]

        with ExitStack() as stack:
            services(stack)
            eventually(lambda: client.get("/readyz").status_code == 200, "ready")
            for product in seeds:
                assert product in found(product)
            victim = f"{name}3"
            gone = batches()
            removed(gone[shard_of_product(victim, SHARDS)], victim)
            send(kafka_broker, gone)
            eventually(lambda: not client.get(f"/v1/products/{victim}/status").json()["searchable"], "removed")
            assert victim not in found(victim)
            digests = [shard["digest"] for shard in client.get("/v1/index").json()["shards"]]
        assert all(
            (tmp_path / "shards" / f"{shard}-0" / "live" / "snapshot" / "CURRENT").exists() for shard in range(SHARDS)
        )
        with ExitStack() as stack:  # again, from the snapshots
            services(stack)
            eventually(lambda: client.get("/readyz").status_code == 200, "ready again")
            assert [shard["digest"] for shard in client.get("/v1/index").json()["shards"]] == digests
            assert victim not in found(victim)
            metrics = client.get("/metrics").text
    if embedded:
        assert 'vitrine_searcher_ready{generation="live",replica="0",shard="1"} 1.0' in metrics
    else:
        for partition in range(2):
            beats = [decode_event(message.value) for message in read_all(kafka_broker, PRODUCT_EVENTS, partition)]
            assert beats.count(Heartbeat(partition=partition)) >= 2


def test_busy_port_is_one_clear_line_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = {
            **os.environ,
            "VITRINE_HOME": str(tmp_path),
            "VITRINE_HTTP_PORT": str(taken.getsockname()[1]),
            "VITRINE_GRPC_PORT": str(taken.getsockname()[1]),
        }
        for module in ("serving.blender", "serving.broker"):
            ended = subprocess.run(
                [sys.executable, "-m", module],
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert ended.returncode == 2, ended.stderr
            last = ended.stderr.strip().splitlines()[-1]
            assert f"port {taken.getsockname()[1]} on 127.0.0.1 cannot be bound" in last
