"""Benchmark `swap`: what queries feel while a searcher loads a full index beside the one that serves.

One real searcher process over real Kafka and a real generation. A client
process sends one query after the other at fixed moments over gRPC, whether
answers are late or not; deltas arrive all the while. How late the client
itself was to send says how busy the machine was: pauses of that length are
not the searcher's; --realtime keeps them out. The alias moves to and fro between two generations of the
same images. Latencies are those of queries due in

- `quiet`: one index is held and nothing happens;
- `load`: from the alias' move seen to the new index's answering (files, warming, catching up);
- `both`: both are held, until nobody has named the old one for a while;
- `free`: the old one goes, and half a second more.

The images are of no encoder that there is, and of --dimension numbers, searched as they come: what is loaded, warmed
and freed are a shard's files, in which vectors lie as they are searched whatever they were made of.
"""

from __future__ import annotations

import argparse
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.harness.result import write_result
from benchmarks.harness.system import bench_settings, temporary_home
from benchmarks.index.shard import Catalogue
from benchmarks.load.grpc import QueryClient, latencies, run_before_others
from cli.runtime.environment import child_environment
from cli.runtime.programs import python
from cli.runtime.progress import Progress
from cli.runtime.services import searcher_name
from cli.runtime.system import System
from generations.described import describe_shard
from generations.folder import Generations, new_name, seal_generation
from indexing.build.builder import BuildSettings, ShardBuilder
from indexing.lists.kinds import IndexKind
from messaging.producer import EventProducer
from schemas.deltas.delta import encode_deltas
from schemas.errors import OperatorError
from schemas.full_index.generation import Generation
from schemas.full_index.manifest import ShardManifest
from schemas.settings import Settings
from schemas.topics import INDEX_DELTAS

FIRST_PORT = 18_700
LIMIT = 10
DELTAS_A_RECORD = 10
_BUILT_ROWS = 2000
_RECORDED = 500
_FREED_TAIL_S = 0.5
_WAIT_S = 600.0
_SAMPLE_S = 0.05


def build_generations(
    settings: Settings, catalogue: Catalogue, images: int, kind: str, recall: float
) -> tuple[list[str], ShardManifest]:
    """Two generations of one shard with the same images; their names, and the shard's manifest."""
    generations = Generations(settings.layout.generations)
    names = [new_name()]
    folder = generations.shard_folder(names[0], 0)
    folder.parent.mkdir(parents=True)
    built = BuildSettings(kind=IndexKind(kind), recall=recall)
    extractor, dimension = catalogue.extractor_id, catalogue.dimension
    with ShardBuilder(folder, extractor, dimension, built) as builder:
        for first in range(0, images, _BUILT_ROWS):
            numbers = range(first, min(first + _BUILT_ROWS, images))
            builder.add(catalogue.batch(numbers, vectors=catalogue.vectors(len(numbers))))
        manifest = builder.seal({0: 0})
    names.append(new_name())
    shutil.copytree(folder, generations.shard_folder(names[1], 0))
    for name in names:
        shard = describe_shard(generations.shard_folder(name, 0))
        generation = Generation(
            name=name,
            created_ms=1,
            extractor_id=extractor,
            encoder="benchmark",
            weights="",
            dimension=dimension,
            delta_partitions=1,
            delta_offsets=[0],
            shards=[shard],
            catalogue_valid=manifest.valid,
            catalogue_digests=[manifest.digest],
        )
        seal_generation(generations.folder / name, generation)
    return names, manifest


class DeltaStream:
    """Deltas at a steady rate, half of them with another picture, on a thread; `with` it."""

    def __init__(self, settings: Settings, catalogue: Catalogue, images: int, per_s: float) -> None:
        self._producer = EventProducer(settings.kafka)
        self._catalogue = catalogue
        self._images = images
        self._pause_s = DELTAS_A_RECORD / per_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deltas")
        self.sent = 0

    def __enter__(self) -> DeltaStream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._producer.flush()

    def _run(self) -> None:
        chooser = np.random.default_rng(7)
        began = time.monotonic()
        while not self._stop.wait(max(0.0, began + self.sent / DELTAS_A_RECORD * self._pause_s - time.monotonic())):
            numbers = chooser.integers(0, self._images, DELTAS_A_RECORD).tolist()
            with_vectors = self.sent // DELTAS_A_RECORD % 2 == 1
            vectors = self._catalogue.vectors(len(numbers)) if with_vectors else None
            self._producer.send(INDEX_DELTAS, None, encode_deltas(self._catalogue.batch(numbers, vectors=vectors)), 0)
            self.sent += len(numbers)


class SearcherLog:
    """What the searcher's log says, and when."""

    def __init__(self, file: Path) -> None:
        self._file = file.open()

    def until(self, event: str, generation: str) -> tuple[float, str]:
        """(Unix time, line) of the next such event. Raises `OperatorError` when it does not come in time."""
        deadline = time.monotonic() + _WAIT_S
        rest = ""
        while time.monotonic() < deadline:
            rest += self._file.readline()
            if not rest.endswith("\n"):
                time.sleep(0.02)
                continue
            line, rest = rest, ""
            if f"event={event} " in line and f"generation={generation}" in line:
                return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp(), line
        raise OperatorError(f"no event={event} of {generation} in {self._file.name} within {_WAIT_S:.0f} s")


class Memory:
    """Resident memory of a process, sampled on a thread; `with` it."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory")
        self._peak = 0

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def now_mib(self) -> int:
        return self._process.memory_info().rss >> 20

    def peak_mib(self) -> int:
        """Since the last call."""
        peak, self._peak = self._peak, 0
        return peak >> 20

    def cpu_s(self) -> float:
        """Processor seconds so far."""
        times = self._process.cpu_times()
        return times.user + times.system


def _in_line(line: str, name: str) -> float:
    return float(line.rsplit(f"{name}=", 1)[1].split()[0])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answering.swap", description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--kind", default="ivf_flat", choices=[kind.value for kind in IndexKind])
    parser.add_argument("--recall", type=float, default=0.95, help="recall@10 that nprobe is chosen for")
    parser.add_argument("--queries", type=float, default=50.0, help="a second")
    parser.add_argument("--deltas", type=float, default=200.0, help="a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of quiet before each swap")
    parser.add_argument("--rounds", type=int, default=4, help="swaps")
    parser.add_argument(
        "--realtime", action="store_true", help="searcher and client before all other work of the machine (needs root)"
    )
    parser.add_argument("--first-port", type=int, default=FIRST_PORT)
    parser.add_argument("--name", default="swap", help="name of the result file")
    arguments = parser.parse_args(argv)
    extractor = f"efficientnet_lite0-00000000-p1-{arguments.dimension}"
    catalogue = Catalogue(arguments.dimension, 1, extractor)
    progress = Progress()
    with temporary_home() as home, ExitStack() as stack:
        settings = bench_settings(
            home, arguments.first_port, shards=1, metrics_port=arguments.first_port + 40, snapshot_interval_s=3600.0
        )
        with progress.step(f"building {arguments.images} images"):
            names, manifest = build_generations(settings, catalogue, arguments.images, arguments.kind, arguments.recall)
        recorded = settings.layout.recorded_queries
        recorded.mkdir(exist_ok=True)
        np.save(recorded / f"{extractor}.npy", catalogue.vectors(_RECORDED))
        generations = Generations(settings.layout.generations)
        generations.serve(names[0])
        runtime = System(settings, progress)
        stack.callback(runtime.stop)
        runtime.start_kafka()
        searcher = searcher_name(0, 0)
        command = [python(), "-m", "serving.searcher", "--shard", "0", "--replica", "0"]
        pid = runtime.processes.start(searcher, command, child_environment(settings)).pid
        log = SearcherLog(runtime.processes.log_file(searcher))
        log.until("ready", names[0])
        if arguments.realtime:
            run_before_others(pid)
        memory = stack.enter_context(Memory(pid))
        stack.enter_context(DeltaStream(settings, catalogue, arguments.images, arguments.deltas))
        address = settings.tier.searcher(0)
        client = stack.enter_context(
            QueryClient(address, catalogue.vectors(1000), arguments.queries, LIMIT, arguments.realtime)
        )
        windows: dict[str, list[tuple[float, float]]] = {"quiet": [], "load": [], "both": [], "free": []}
        figures: dict[str, Any] = {"bytes_on_disk": sum(file.size for file in manifest.files.values())}
        each: dict[str, list[float]] = {
            "files_s": [], "warm_and_catch_up_s": [], "load_cpu_s": [], "free_s": [],
            "one_index_mib": [], "load_peak_mib": [],
        }  # fmt: skip
        for turn in range(arguments.rounds):
            old, new = names[turn % 2], names[(turn + 1) % 2]
            with progress.step(f"swap {turn + 1} of {arguments.rounds}"):
                began, cpu_s = time.time(), memory.cpu_s()
                time.sleep(arguments.seconds)
                ended = time.time()
                quiet_cores = (memory.cpu_s() - cpu_s) / (ended - began)
                windows["quiet"].append((began, ended))
                each["one_index_mib"].append(memory.now_mib())
                memory.peak_mib()
                cpu_s = memory.cpu_s()
                generations.serve(new)
                loading, _ = log.until("generation_loading", new)
                loaded, line = log.until("full_index_loaded", new)
                ready, _ = log.until("ready", new)
                used_s = memory.cpu_s() - cpu_s - quiet_cores * (time.time() - ended)
                windows["load"].append((loading, ready))
                each["files_s"].append(_in_line(line, "seconds"))
                each["warm_and_catch_up_s"].append(ready - loaded)
                each["load_cpu_s"].append(used_s)
                each["load_peak_mib"].append(memory.peak_mib())
                leaving, _ = log.until("generation_let_go", old)
                windows["both"].append((ready, leaving))
                freed, _ = log.until("generation_freed", old)
                windows["free"].append((leaving, freed + _FREED_TAIL_S))
                each["free_s"].append(freed - leaving)
                time.sleep(2 * _FREED_TAIL_S)
        queries = client.taken()
    figures |= {name: latencies(queries, found) for name, found in windows.items()}
    figures |= {name: round(float(np.median(values)), 2) for name, values in each.items()}
    figures["load_p99_over_quiet_p99"] = round(figures["load"]["p99_ms"] / figures["quiet"]["p99_ms"], 2)
    parameters = {**vars(arguments), "lists": manifest.lists, "nprobe": manifest.nprobe, "limit": LIMIT}
    write_result(arguments.name, parameters, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
