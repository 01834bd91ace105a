"""Processes that hang (SIGSTOP): searchers with and without a second replica, and the broker. Real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from schemas.deltas.delta import DeltaBatch, Progress
from schemas.features.ids import dimension_of
from schemas.ids import sequence, shard_of_product
from tests.integration.serving.test_processes import ENCODER, SHARDS, eventually, process, send
from tests.ports import free_block
from tests.support.serving.world import WATERMARK_MS, listed
from vision.extractor import extractor_id

REPLICAS = 2
EXTRACTOR = extractor_id(ENCODER)
PRODUCTS = [f"h{n}" for n in range(8)]

pytestmark = pytest.mark.integration


@dataclass
class Serving:
    client: httpx.Client
    environment: dict[str, str]
    folder: Path
    searchers: dict[tuple[int, int], subprocess.Popen[bytes]]
    broker: subprocess.Popen[bytes]

    def ask(self) -> httpx.Response:
        return self.client.post("/v1/search/vector?limit=50", json={"vector": vector(0).tolist()})

    def found(self) -> tuple[set[str], list[int]]:
        """Products found of this test's, and the shards that are missing."""
        answer = self.ask()
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["partial"] == bool(body["missing_shards"])
        return {result["product_id"] for result in body["results"]} & set(PRODUCTS), body["missing_shards"]

    def every_replica_answers(self) -> bool:
        """A process that is still reading its shard is healthy, too, and answers no query."""
        index: list[dict[str, Any]] = self.client.get("/v1/index").json()["shards"]
        return len(index) == len(self.searchers) and all(
            each["ready"] and each["health"] == "serving" for each in index
        )

    def why(self) -> str:
        """What the broker thinks of the searchers, and said last."""
        index = self.client.get("/v1/index").json()["shards"]
        said = (self.folder / "serving.broker.log").read_text().splitlines()[-20:]
        return "\n".join([*(f"{each['shard']}-{each['replica']}: {each}" for each in index), *said])

    def healths(self) -> dict[tuple[int, int], str]:
        index: list[dict[str, Any]] = self.client.get("/v1/index").json()["shards"]
        return {(each["shard"], each["replica"]): each["health"] for each in index}


def vector(number: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    made = np.random.default_rng(number).standard_normal(dimension_of(EXTRACTOR)).astype("<f4")
    return made / np.linalg.norm(made)


@pytest.fixture(scope="module")
def serving(kafka_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("hung")
    ports = free_block(8)
    environment = {
        **os.environ,
        "VITRINE_HOME": str(folder),
        "VITRINE_KAFKA_BOOTSTRAP": kafka_broker,
        "VITRINE_SHARDS": str(SHARDS),
        "VITRINE_REPLICAS": str(REPLICAS),
        "VITRINE_EVENT_PARTITIONS": "2",
        "VITRINE_GRPC_PORT": str(ports),
        "VITRINE_HTTP_PORT": str(ports + 5),
        "VITRINE_ENCODER": ENCODER,
    }
    progress = [Progress(partition, 2, sequence(1, 1), WATERMARK_MS) for partition in range(2)]
    deltas = {shard: DeltaBatch(extractor_id=EXTRACTOR, progress=list(progress)) for shard in range(SHARDS)}
    for number, product in enumerate(PRODUCTS):
        listed(deltas[shard_of_product(product, SHARDS)], product, [vector(number)])
    send(kafka_broker, deltas)
    with ExitStack() as stack:
        searchers = {
            (shard, replica): stack.enter_context(
                process(environment, folder, "serving.searcher", "--shard", str(shard), "--replica", str(replica))
            )
            for shard in range(SHARDS)
            for replica in range(REPLICAS)
        }
        broker = stack.enter_context(process(environment, folder, "serving.broker"))
        stack.enter_context(process(environment, folder, "serving.blender"))
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{ports + 5}", timeout=60))
        running = Serving(client, environment, folder, searchers, broker)
        eventually(lambda: client.get("/readyz").status_code == 200, "ready")
        eventually(lambda: running.found() == (set(PRODUCTS), []), "all shards answer")
        eventually(running.every_replica_answers, "all replicas answer")
        yield running


@contextmanager
def stopped(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    for each in processes:
        each.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for each in processes:
            each.send_signal(signal.SIGCONT)


def test_hung_replica_is_put_aside_without_one_partial_answer_and_taken_back(serving: Serving) -> None:
    def whole() -> None:
        assert serving.found() == (set(PRODUCTS), []), serving.why()

    with stopped(serving.searchers[0, 0]):

        def ejected() -> bool:
            whole()
            return serving.healths()[0, 0] == "ejected"

        eventually(ejected, "0-0 is put aside")
        for _ in range(20):
            whole()
        receipt = serving.client.get(f"/v1/products/{PRODUCTS[0]}/status").json()
        shard = shard_of_product(PRODUCTS[0], SHARDS)
        assert receipt["complete"] == (shard != 0)
        assert receipt["searchable"]

    def taken_back() -> bool:
        whole()
        return set(serving.healths().values()) == {"serving"}

    eventually(taken_back, "0-0 is taken back")


def test_shard_whose_replicas_all_hang_is_named_and_costs_the_others_no_time(serving: Serving) -> None:
    here = {product for product in PRODUCTS if shard_of_product(product, SHARDS) != 0}
    with stopped(serving.searchers[0, 0], serving.searchers[0, 1]):
        both = ["ejected"] * REPLICAS
        eventually(lambda: [serving.healths()[0, r] for r in range(REPLICAS)] == both, "shard 0 is put aside")
        began = time.monotonic()
        for _ in range(20):
            assert serving.found() == (here, [0])
        # Each would wait for 2.7 s for a shard that is not put aside.
        assert time.monotonic() - began < 20
    eventually(lambda: serving.found() == (set(PRODUCTS), []), "shard 0 answers again")

    def taken_back() -> bool:
        assert serving.found() == (set(PRODUCTS), [])
        return set(serving.healths().values()) == {"serving"}

    eventually(taken_back, "its replicas are taken back")


def test_hung_broker_is_an_error_with_retry_after_at_once_and_for_as_long_as_it_hangs(serving: Serving) -> None:
    with stopped(serving.broker):
        seen: deque[tuple[int, str]] = deque(maxlen=20)

        def refused_at_once() -> bool:
            answer = serving.ask()
            assert answer.status_code in (503, 504), answer.text
            assert answer.headers["retry-after"]
            seen.append((answer.status_code, answer.json()["error"]["reason"]))
            return seen.count((503, "unreachable")) == 20

        eventually(refused_at_once, "the broker is put aside")
        assert serving.client.get("/healthz").status_code == 200
        readiness = serving.client.get("/readyz")
        assert readiness.status_code == 503
        assert "put aside" in readiness.text
        metrics = serving.client.get("/metrics").text
        assert re.search(r'^vitrine_blender_broker_ejected\{broker="[^"]+"\} 1\.0$', metrics, re.MULTILINE)
    eventually(lambda: serving.ask().status_code == 200, "the broker is taken back")
    assert serving.found() == (set(PRODUCTS), [])


def test_broker_that_was_stopped_itself_puts_no_searcher_aside(serving: Serving) -> None:
    with stopped(serving.broker):
        eventually(lambda: "put aside" in serving.client.get("/readyz").text, "the broker is put aside")
    eventually(lambda: serving.ask().status_code == 200, "the broker is taken back")
    assert serving.found() == (set(PRODUCTS), [])
    assert set(serving.healths().values()) <= {"serving", "suspect"}


def test_broker_that_ends_is_an_error_with_retry_after_until_another_is_there(serving: Serving) -> None:
    serving.broker.send_signal(signal.SIGTERM)
    serving.broker.wait(60)
    for _ in range(10):
        answer = serving.ask()
        assert (answer.status_code, answer.json()["error"]["reason"]) == (503, "unreachable")
        assert answer.headers["retry-after"]
    with process(serving.environment, serving.folder, "serving.broker"):
        eventually(lambda: serving.ask().status_code == 200, "the blender finds the new broker")
        eventually(lambda: serving.found() == (set(PRODUCTS), []), "and it finds the searchers")
