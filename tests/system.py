"""A whole system of its own for tests: real Kafka, Flink, job and services on free ports, in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
import psutil

from cli.inspection import ShardView, shard_views
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.job import job_runs
from cli.runtime.flink.parts import JOB_MANAGER, TASK_MANAGER
from cli.runtime.kafka import NAME as KAFKA
from cli.runtime.system import System as Runtime
from jobs.realtime_index.stream_jobs import stream_jobs
from messaging.producer import EventProducer
from schemas.access.grpc import channel
from schemas.access.kafka import KafkaAccess
from schemas.errors import TransientError
from schemas.search_pb2 import ProductRequest, ProductResponse
from schemas.search_pb2_grpc import SearchStub
from schemas.settings import Settings, load_settings
from schemas.topics import PRODUCT_EVENTS
from tests.ports import free_block

T = TypeVar("T")

__all__ = ["JOB_MANAGER", "KAFKA", "TASK_MANAGER", "System", "eventually", "system_settings"]


def system_settings(home: Path, **overrides: Any) -> Settings:
    """Settings on ports of their own; heartbeats and checkpoints quick, so that tests wait less."""
    block = free_block(32)
    values: dict[str, Any] = {
        "http_port": block,
        "kafka_port": block + 1,
        "flink_port": block + 3,
        "grpc_port": block + 4,
        "metrics_port": block + 22,
        "event_partitions": 2,
        "feature_partitions": 2,
        "heartbeat_interval_ms": 200,
        "heartbeat_rest_interval_ms": 200,
        "checkpoint_interval_ms": 1000,
        "snapshot_interval_s": 5.0,
        "stalled_after_s": 30.0,
        "meaning": False,
        # Its features are searched as they are: tests compare the bytes of stores, shards and snapshots.
        "encoder": "efficientnet_lite0_composite",
        **overrides,
    }
    return load_settings({}, home=str(home), **values)


def eventually(probe: Callable[[], T | None], what: str, timeout_s: float = 120.0, poll_s: float = 0.05) -> T:
    """The first true value of `probe`; AssertionError saying `what` and the last value at the limit.

    `TransientError` and connection errors count as "not yet".
    """
    deadline = time.monotonic() + timeout_s
    last: object = None
    while True:
        try:
            value = probe()
            if value:
                return value
            last = value
        except (TransientError, httpx.TransportError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:.0f} s: {what} (last seen: {last!r})")
        time.sleep(poll_s)


class System:
    """Handles for a test: feed it, ask it, kill parts of it, wait until it has settled."""

    def __init__(self, home: Path, **overrides: Any) -> None:
        self.settings = system_settings(home, **overrides)
        self.home = Path(self.settings.home)
        self.runtime = Runtime(self.settings)
        self._last_timestamp_ms = 0

    @property
    def base(self) -> str:
        """Address of the blender."""
        return self.settings.blender.url

    @property
    def bootstrap(self) -> str:
        """Kafka's address."""
        return self.settings.bootstrap

    @property
    def kafka(self) -> KafkaAccess:
        """The same, with the way in."""
        return self.settings.kafka

    def start(self) -> None:
        """Starts whatever does not run, and waits until all of it is ready."""
        self.runtime.start()

    def stop(self) -> None:
        self.runtime.stop()

    def pid(self, name: str) -> int:
        """Process id of `kafka`, `flink-taskmanager`, `searcher-0-0`, `broker`, `blender`, ..."""
        return self.runtime.running()[name]

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Sends the signal to that one process (not to its children) and, if it kills, waits until it is gone.

        The supervisor starts it again by itself: see `wait_back`. To have it stay dead, `end` it.
        """
        process = psutil.Process(self.pid(name))
        self.runtime.processes.signal(name, number)
        if number == signal.SIGKILL:
            eventually(lambda: not _alive(process), f"process {process.pid} ({name}) is gone")

    def wait_back(self, before: Mapping[str, int], timeout_s: float = 120.0) -> None:
        """Until each of those names runs, with another process id."""
        for name, pid in before.items():
            eventually(
                lambda name=name, pid=pid: self.runtime.running().get(name, pid) != pid,  # type: ignore[misc]
                f"{name} is running again",
                timeout_s,
            )

    def end(self, name: str) -> None:
        """Ends that one process; it stays ended until `start`."""
        self.runtime.stop_parts([name])

    def python_workers(self) -> list[psutil.Process]:
        """Flink's Python worker processes (those that run our stages)."""
        children = psutil.Process(self.pid(TASK_MANAGER)).children(recursive=True)
        return [child for child in children if "pyflink.fn_execution" in " ".join(_command_line(child))]

    def extraction_child(self) -> psutil.Process | None:
        """The process that fetches, decodes and embeds; None while there is none."""
        children = psutil.Process(self.pid(TASK_MANAGER)).children(recursive=True)
        return next(
            (child for child in children if "jobs.pipeline.extraction.child" in " ".join(_command_line(child))), None
        )

    def kill_python_workers(self) -> int:
        """SIGKILL for all of them; returns how many there were."""
        workers = self.python_workers()
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
        return len(workers)

    def produce(
        self, *events: Mapping[str, Any] | bytes, key: bytes | None = None, partition: int | None = None
    ) -> None:
        """Writes events and waits until they are in the log; objects are keyed by their product_id."""
        with EventProducer(self.kafka) as producer:
            for event in events:
                value = event if isinstance(event, bytes) else json.dumps(event).encode()
                chosen = key
                if chosen is None and not isinstance(event, bytes):
                    chosen = str(event["product_id"]).encode()
                producer.send(PRODUCT_EVENTS, chosen, value, partition, self._delivered)

    def shards(self) -> list[ShardView]:
        """State of every replica of every shard of the serving generation."""
        return shard_views(self.settings.tier)

    def digests(self) -> dict[tuple[int, int], str]:
        """Digest by (shard, replica)."""
        return {(view.shard, view.replica): view.digest for view in self.shards()}

    def wait_settled(self, *, pending: int = 0, timeout_s: float = 180.0) -> list[ShardView]:
        """Until every replica reflects every event that `produce` has written, and `pending` images at most wait."""

        def settled() -> list[ShardView]:
            views = self.shards()
            done = bool(views) and len(views) == views[0].shards * self.settings.replicas
            done = done and all(
                not view.error
                and view.ready
                and view.watermark_ms > self._last_timestamp_ms
                and view.pending <= pending
                for view in views
            )
            if not done:
                raise TransientError("not_settled", "; ".join(map(str, views)) or "no shard answers")
            return views

        return eventually(settled, f"all shards reflect the log up to {self._last_timestamp_ms}", timeout_s)

    def product(self, product_id: str) -> ProductResponse:
        """What every replica shows of the product."""
        with channel(self.settings.tier, self.settings.tier.broker) as broker:
            stub = SearchStub(broker)  # type: ignore[no-untyped-call]
            try:
                response: ProductResponse = stub.Product(ProductRequest(product_id=product_id), timeout=30)
            except grpc.RpcError as error:
                raise TransientError("broker_unreachable", str(error.details())) from error
            return response

    def searchable_images(self, product_id: str) -> list[int]:
        """How many images of the product each of its replicas would return now."""
        return [sum(image.searchable for image in replica.images) for replica in self.product(product_id).replicas]

    def wait_searchable(self, product_ids: Iterable[str], images: int = 1, timeout_s: float = 180.0) -> None:
        """Until every replica has at least `images` searchable images of each product."""
        for product_id in product_ids:
            eventually(
                lambda product_id=product_id: (  # type: ignore[misc]
                    (counts := self.searchable_images(product_id)) and min(counts) >= images
                ),
                f"{product_id} is searchable",
                timeout_s,
            )

    def wait_gone(self, product_id: str, timeout_s: float = 60.0) -> None:
        """Until no replica has a searchable image of the product."""
        eventually(lambda: not any(self.searchable_images(product_id)), f"{product_id} is gone", timeout_s)

    def wait_job(self, timeout_s: float = 120.0) -> None:
        """Until all tasks of the stream's jobs run (say, after a worker was killed)."""
        access, jobs = FlinkAccess.of(self.settings), stream_jobs(self.settings)
        eventually(lambda: job_runs(access, jobs), "all tasks of the job run", timeout_s)

    def search(self, photo: bytes, limit: int = 10) -> dict[str, Any]:
        """`POST /v1/search/image`; raises for a status other than 200."""
        response = httpx.post(
            f"{self.base}/v1/search/image",
            params={"limit": limit},
            files={"image": ("photo", photo)},
            timeout=60,
            trust_env=False,
        )
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    def _delivered(self, error: Any, message: Any) -> None:
        assert error is None, error
        self._last_timestamp_ms = max(self._last_timestamp_ms, message.timestamp()[1])


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
