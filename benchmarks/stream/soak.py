"""Benchmark `soak`: JD's mix at 500 events/s and queries for hours; memory, files, disk and latencies stay flat.

Every ten seconds: memory, processor time, open files and threads of each
process; bytes on disk of the stores, the topics, the logs and the rest; how
fresh probes were and how long queries took since the last look; lag and the
watermark's age. At the end each series' slope by least squares with its
standard error, the warm-up left out, and a verdict: flat within three errors,
or rising by no more than a bound that is stated with it. Latencies and
processor time are kept by the minute beside the result, for whoever asks when.

The network is a small one with drawn weights, so that the machine bears hours
of it: its vectors are stored and searched as they are, no base features.

What rises by design is stated too. One event in 126 brings a new image, which
stays: stores and searchers grow by what an image takes, and what reads through
the index takes as much longer as it grew. Topics keep eight days, and Kafka
keeps their segments open.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import numpy as np
import psutil

from benchmarks.harness.growth import judged
from benchmarks.harness.processes import CpuMeter, processes
from benchmarks.harness.result import RESULTS, write_result
from benchmarks.harness.system import (
    FIRST_PORT,
    BenchSystem,
    bench_settings,
    drawn_weights,
    temporary_home,
)
from benchmarks.load.drawn import drawn_features
from benchmarks.load.events import LoadGenerator
from benchmarks.load.probes import PROBE_PRODUCTS, send_probes
from benchmarks.load.shop import (
    ADDITIONS,
    NEW_AMONG_ADDITIONS,
    Shop,
    draw_photo,
    draw_pictures,
    fill_feature_store,
)
from benchmarks.stream.freshness import listed
from cli.topics_view import topic_views
from schemas.errors import TransientError

EVERY_S = 10.0
PROBES_S = 7.0
"""Of every ten: the first sends of a new producer take the other seconds."""
_MIB = 2**20
_IMAGE_BYTES = 2048
"""What an image takes beside its vector: its row, its texts, its product's record, and the stores' own."""


class Recorder:
    """Latencies since the last look, by name, in milliseconds; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, list[float]] = defaultdict(list)
        self.failures: dict[str, int] = defaultdict(int)

    def note(self, name: str, milliseconds: float) -> None:
        with self._lock:
            self._taken[name].append(milliseconds)

    def fail(self, what: str) -> None:
        with self._lock:
            self.failures[what] += 1

    def percentiles(self) -> dict[str, float]:
        """`NAME_p50_ms` and `NAME_p99_ms` of what was noted since the last call."""
        with self._lock:
            taken, self._taken = self._taken, defaultdict(list)
        return {f"{name}_p{q}_ms": float(np.percentile(values, q)) for name, values in taken.items() for q in (50, 99)}


class Soak:
    """What runs beside the load until it is closed: queries, probes, and the looks at the system."""

    def __init__(self, system: BenchSystem, shop: Shop, dimension: int, rates: dict[str, float], probes: float) -> None:
        self.at: list[float] = []
        self.samples: list[dict[str, float]] = []
        self.recorder = Recorder()
        self._system = system
        self._shop, self._probes = shop, probes
        self._dimension = dimension
        self._stop = threading.Event()
        self._meter = CpuMeter(system)
        psutil.cpu_percent()
        self._began = time.monotonic()
        asks: dict[str, Callable[[httpx.Client, int], httpx.Response]] = {
            "vectors": self._ask_vector,
            "photos": self._ask_photo,
        }
        self._threads = [threading.Thread(target=self._ask, args=(name, asks[name], rates[name])) for name in asks]
        self._threads += [threading.Thread(target=self._probe), threading.Thread(target=self._look)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, name: str, ask: Callable[[httpx.Client, int], httpx.Response], per_s: float) -> None:
        address = f"http://127.0.0.1:{self._system.settings.http_port}"
        began, number = time.monotonic(), 0
        with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
            while not self._stop.wait(max(0.0, began + number / per_s - time.monotonic())):
                number += 1
                sent = time.perf_counter()
                try:
                    status = str(ask(client, number).status_code)
                except httpx.HTTPError as error:
                    status = type(error).__name__
                if status == "200":
                    self.recorder.note(name, 1000 * (time.perf_counter() - sent))
                else:
                    self.recorder.fail(f"{name}: {status}")

    def _ask_vector(self, client: httpx.Client, number: int) -> httpx.Response:
        vector = np.random.default_rng(number).standard_normal(self._dimension).astype("<f4")
        headers = {"content-type": "application/octet-stream"}
        return client.post("/v1/search/vector?limit=20", content=vector.tobytes(), headers=headers)

    def _ask_photo(self, client: httpx.Client, number: int) -> httpx.Response:
        return client.post("/v1/search/image?limit=20", files={"image": ("photo.jpg", draw_photo(number % 50))})

    def _probe(self) -> None:
        while not self._stop.is_set():
            try:
                found = asyncio.run(send_probes(self._system.settings, self._shop, PROBES_S, self._probes))
            except (RuntimeError, TransientError) as error:
                self.recorder.fail(f"probe: {error}"[:200])
                continue
            if found.problem:
                self.recorder.fail(f"probe: {found.problem}"[:200])
            for probe in found.shown:
                self.recorder.note("freshness", probe.shown_ms - probe.sent_ms)

    def _look(self) -> None:
        while not self._stop.wait(max(0.0, self._began + (len(self.at) + 1) * EVERY_S - time.monotonic())):
            try:
                latencies = self.recorder.percentiles()
                sample = {**self._cores(), **latencies, **self._held(), **self._disk(), **self._stream()}
            except TransientError as error:
                self.recorder.fail(f"look: {error}"[:200])
                sample = {}
            self.at.append(time.monotonic() - self._began)
            self.samples.append(sample)

    def _held(self) -> dict[str, float]:
        """Memory, files and threads by process; Flink's Python workers and the CNN for themselves."""
        sample: dict[str, float] = defaultdict(float)
        for name, process in processes(self._system.runtime):
            try:
                with process.oneshot():
                    sample[f"memory_mib {name}"] += process.memory_info().rss / _MIB
                    sample[f"files {name}"] += process.num_fds()
                    sample[f"threads {name}"] += process.num_threads()
            except psutil.NoSuchProcess:
                continue
        return sample

    def _cores(self) -> dict[str, float]:
        """Since the last look, by process; and of the whole machine, so that other work beside it shows."""
        whole = {"machine_cores": psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1)}
        meter, self._meter = self._meter, CpuMeter(self._system)
        return whole | {f"cores {name}": cores for name, cores in meter.cores(least=0.0).items()}

    def _disk(self) -> dict[str, float]:
        home = self._system.settings.layout.home
        folders = {folder.name: folder for folder in home.iterdir() if folder.is_dir()}
        found = {f"disk_mib {name}": _bytes(folder) / _MIB for name, folder in folders.items() if name != "kafka"}
        topics: dict[str, float] = defaultdict(float)
        for log in (home / "kafka").glob("**/*-[0-9]*"):
            if log.is_dir():
                topics[f"topic_mib {log.name.rpartition('-')[0]}"] += _bytes(log) / _MIB
        segments = sum(1 for _ in (home / "kafka").rglob("*.log"))
        return {**found, **topics, "segments": float(segments)}

    def _stream(self) -> dict[str, float]:
        views = self._system.shards()
        lag = sum(topic.lag or 0 for topic in topic_views(self._system.settings.kafka))
        return {
            "stages_lag_records": float(lag),
            "searchers_lag_records": float(sum(view.lag for view in views)),
            "watermark_age_ms": time.time() * 1000 - min(view.watermark_ms for view in views),
            "images": float(sum(view.images for view in views)),
            "pending_images": float(sum(view.pending for view in views)),
        }


def _bytes(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_blocks * 512 if file.is_file() else 0
        except FileNotFoundError:
            continue  # compacted away, or a checkpoint that was let go
    return total


def write_minutes(file: Path, at: Sequence[float], samples: Sequence[dict[str, float]]) -> None:
    """Latencies, processor time and the images of every minute, as CSV: means over its looks, warm-up included."""
    minutes: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for t, sample in zip(at, samples, strict=True):
        for name, value in sample.items():
            if name.endswith("_ms") or name.partition(" ")[0] in ("cores", "machine_cores", "images"):
                minutes[int(t // 60)][name].append(value)
    names = sorted({name for minute in minutes.values() for name in minute})
    with file.open("w", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["minute", *names])
        for minute, taken in sorted(minutes.items()):
            rows.writerow([minute, *(f"{np.mean(taken[name]):.3f}" if name in taken else "" for name in names)])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="after the index is filled, warm-up included")
    parser.add_argument("--warm-up", type=float, default=0.2, help="share of the time that is left out at the start")
    parser.add_argument("--images", type=int, default=300_000, help="in the index before")
    parser.add_argument("--per-s", type=float, default=500.0, help="events a second")
    parser.add_argument("--probes", type=float, default=5.0, help="probes a second among them")
    parser.add_argument("--vectors", type=float, default=20.0, help="vector queries a second")
    parser.add_argument("--photos", type=float, default=1.0, help="photo queries a second")
    parser.add_argument("--encoder", default="squeezenet1_1", help="a torchvision network; its weights are drawn")
    parser.add_argument("--first-port", type=int, default=FIRST_PORT)
    parser.add_argument("--name", default="soak", help="name of the result file")
    arguments = parser.parse_args(argv)
    seconds = 3600 * arguments.hours
    with temporary_home() as home:
        weights = str(drawn_weights(arguments.encoder, home))
        settings = bench_settings(home, arguments.first_port, encoder=arguments.encoder, weights=weights)
        drawn = drawn_features(settings)
        dimension = drawn.dimension
        fill_feature_store(settings, drawn, arguments.images + PROBE_PRODUCTS)
        wanted = int(1.2 * ADDITIONS * NEW_AMONG_ADDITIONS * arguments.per_s * seconds) + 10
        pictures = draw_pictures(home / "pictures", wanted)
        with BenchSystem(settings).running() as system:
            load = LoadGenerator(settings.kafka, arguments.images, new_pictures=pictures)
            probed = listed(system, load, arguments.images)
            rates = {"vectors": arguments.vectors, "photos": arguments.photos}
            with system.progress.step(f"{arguments.per_s:g} events/s for {arguments.hours:g} hours"):
                load.begin("mix", None, arguments.per_s - arguments.probes)
                soak = Soak(system, probed, dimension, rates, arguments.probes)
                time.sleep(seconds)
                soak.close()
                produced = load.end()
            load.close()
    series = judged(soak.at, soak.samples, arguments.warm_up * seconds, 4 * dimension + _IMAGE_BYTES)
    rises = [name for name, found in series.items() if found["verdict"] == "rises"]
    figures = {
        "events": produced.events,
        "events_per_s": round(produced.per_s, 1),
        "kinds": produced.kinds,
        "looks": len(soak.at),
        "failures": dict(soak.recorder.failures),
        "rises": rises,
        "series": series,
    }
    parameters = {
        **vars(arguments),
        "extractor": drawn.look.extractor_id,
        "shards": settings.shards,
        "every_s": EVERY_S,
    }
    write_result(arguments.name, parameters, figures)
    write_minutes(RESULTS / f"{arguments.name}-minutes.csv", soak.at, soak.samples)
    print(f"rising beyond their bound: {', '.join(rises) or 'none'}; failures: {dict(soak.recorder.failures)}")
    return 1 if rises else 0


if __name__ == "__main__":
    raise SystemExit(main())
