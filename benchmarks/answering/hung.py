"""Benchmark `hung`: what queries feel while a searcher process hangs (SIGSTOP) and when it goes on.

Real searchers of two shards and a broker over real Kafka, once with one
replica of each shard and once with two. A client process sends queries to the
broker at fixed moments over gRPC, whether answers are late or not. Latencies
are those of queries due

- `before`: all is well;
- `noticing`: from the stop until the broker has put the searcher aside;
- `stopped`: from then on;
- `resuming`: from SIGCONT until it serves again;
- `after`: from then on.

A broker that puts nobody aside shows its deadline as the median of `stopped`.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc

from benchmarks.harness.result import write_result
from benchmarks.harness.system import bench_settings, temporary_home
from benchmarks.load.drawn import DrawnFeatures, drawn_features
from benchmarks.load.grpc import QueryClient, latencies
from cli.runtime.environment import child_environment
from cli.runtime.programs import python
from cli.runtime.progress import Progress
from cli.runtime.services import BROKER, searcher_name
from cli.runtime.system import System
from messaging.producer import EventProducer
from schemas.deltas.delta import encode_deltas
from schemas.errors import OperatorError
from schemas.ids import shard_of_product
from schemas.search_pb2 import ShardStatus, StatusRequest
from schemas.search_pb2_grpc import SearchStub
from schemas.settings import Settings
from schemas.topics import INDEX_DELTAS

FIRST_PORT = 18_800
SHARDS = 2
LIMIT = 10
STOPPED = (0, 0)
"""The searcher that hangs: shard and replica."""
_ROWS = 500
_WAIT_S = 120.0


class Searchers:
    """What the broker says of the searchers."""

    def __init__(self, settings: Settings) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{settings.grpc_port}")
        self._stub: Any = SearchStub(self._channel)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        self._channel.close()

    def until(self, what: str, done: Callable[[dict[tuple[int, int], ShardStatus]], bool]) -> float:
        """Unix time at which it was so. Raises `OperatorError` when it does not come in time."""
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            try:
                found = {
                    (each.shard, each.replica): each for each in self._stub.Status(StatusRequest(), timeout=5).shards
                }
                if done(found):
                    return time.time()
            except grpc.RpcError:
                pass  # it starts
            time.sleep(0.02)
        raise OperatorError(f"not within {_WAIT_S:.0f} s: {what}")


def send(settings: Settings, drawn: DrawnFeatures, images: int) -> None:
    """Every image's delta into its partition of index-deltas."""
    with EventProducer(settings.kafka) as producer:
        for partition in range(SHARDS):
            own = [number for number in range(images) if shard_of_product(f"product-{number}", SHARDS) == partition]
            for first in range(0, len(own), _ROWS):
                numbers = own[first : first + _ROWS]
                deltas = drawn.batch(numbers, vectors=drawn.features(len(numbers)))
                producer.send(INDEX_DELTAS, None, encode_deltas(deltas), partition)


def measure(home: Path, replicas: int, arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """One stop of one searcher."""
    settings = bench_settings(
        home,
        arguments.first_port,
        shards=SHARDS,
        replicas=replicas,
        snapshot_interval_s=3600.0,
        encoder=arguments.encoder,
    )
    drawn = drawn_features(settings)
    with ExitStack() as stack:
        runtime = System(settings, progress)
        stack.callback(runtime.stop)
        runtime.start_kafka()
        send(settings, drawn, arguments.images)
        environment = child_environment(settings)
        pids = {}
        for shard in range(SHARDS):
            for replica in range(replicas):
                command = [python(), "-m", "serving.searcher", "--shard", str(shard), "--replica", str(replica)]
                name = searcher_name(shard, replica)
                pids[shard, replica] = runtime.processes.start(name, command, environment).pid
        runtime.processes.start(BROKER, [python(), "-m", "serving.broker"], environment)
        searchers = Searchers(settings)
        stack.callback(searchers.close)
        with progress.step(f"{replicas} replicas take {arguments.images} images"):
            searchers.until(
                "all searchers are ready",
                lambda found: len(found) == len(pids) and all(each.ready for each in found.values()),
            )
        address = f"127.0.0.1:{settings.grpc_port}"
        client = stack.enter_context(QueryClient(address, drawn.queries(1000), arguments.queries, LIMIT))
        with progress.step("a searcher hangs, and goes on"):
            began = time.time()
            time.sleep(arguments.seconds)
            os.kill(pids[STOPPED], signal.SIGSTOP)
            try:
                stopped = time.time()
                ejected = searchers.until("it is put aside", lambda found: found[STOPPED].health == "ejected")
                time.sleep(arguments.seconds)
            finally:
                os.kill(pids[STOPPED], signal.SIGCONT)
            resumed = time.time()
            back = searchers.until(
                "it serves again", lambda found: found[STOPPED].ready and found[STOPPED].health == "serving"
            )
            time.sleep(arguments.seconds)
            ended = time.time()
        sent = client.taken()
    figures: dict[str, Any] = {
        name: latencies(sent, [window])
        for name, window in {
            "before": (began, stopped),
            "noticing": (stopped, ejected),
            "stopped": (ejected, resumed),
            "resuming": (resumed, back),
            "after": (back, ended),
        }.items()
    }
    figures["ejected_after_s"] = round(ejected - stopped, 2)
    figures["back_after_s"] = round(back - resumed, 2)
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answering.hung", description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--queries", type=float, default=50.0, help="a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each phase that lasts")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--encoder", default=Settings().encoder, help="by name")
    parser.add_argument("--first-port", type=int, default=FIRST_PORT)
    parser.add_argument("--name", default="hung", help="name of the result file")
    arguments = parser.parse_args(argv)
    progress = Progress()
    figures = {}
    for replicas in arguments.replicas:
        with temporary_home() as home:
            figures[f"{replicas}_replica{'s' if replicas > 1 else ''}"] = measure(home, replicas, arguments, progress)
    write_result(arguments.name, {**vars(arguments), "shards": SHARDS, "limit": LIMIT}, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
