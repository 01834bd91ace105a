"""Benchmark `build`: a whole full index against faiss train + add of the same vectors, on the same cores in one run.

Clustered random vectors lie in a catalogue store and a feature store, as the
streaming job would have written them. Measured is what `vitrine build` does
from there on: Flink's start, reading both stores, counting what the files must
come to, training, assigning, writing, syncing, hashing the files' images,
measuring recall. faiss gets
the vectors as one array in memory and makes an IndexIVFFlat a shard of them:
as many lists, the same number of training vectors and iterations. It writes
nothing and keeps no attributes. `faiss_default_*` is the same with `train` as
one calls it by default, on all vectors, of which faiss takes 256 a list. How
near vectors are to their centroids, by ours and by faiss's, says whether the
faster training is as good.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.harness.result import write_result
from benchmarks.index.shard import Catalogue

EXTRACTOR = "efficientnet_lite0-00000000-p1-{dimension}"
EVENT_PARTITIONS = FEATURE_PARTITIONS = 4
_CHUNK = 10_000
_COMPARED = 20_000
"""Vectors that are compared with the centroids."""


def fill_stores(folder: Path, images: int, dimension: int, seed: int) -> None:
    """A product per image, with its feature, in stores at `folder`; and vectors.npy, the same vectors."""
    from feature_store.open import catalogue_store, feature_store
    from feature_store.products import ProductStore
    from schemas.events.record import ImageEntry, ProductRecord
    from schemas.features.record import FeatureRecord
    from schemas.ids import image_key, kafka_partition, sequence

    catalogue = Catalogue(dimension, seed)
    products = ProductStore(catalogue_store(folder / "catalogue", EVENT_PARTITIONS))
    features = feature_store(folder / "features", FEATURE_PARTITIONS).writer()
    extractor = EXTRACTOR.format(dimension=dimension)
    file = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
        folder / "vectors.npy", mode="w+", dtype=np.float32, shape=(images, dimension)
    )
    for start in range(0, images, _CHUNK):
        count = min(_CHUNK, images - start)
        file[start : start + count] = vectors = catalogue.vectors(count)
        records: list[list[ProductRecord]] = [[] for _ in range(EVENT_PARTITIONS)]
        found = []
        for number in range(start, start + count):
            product, url = f"product-{number}", f"https://shop.example/images/{number}.jpg"
            at = sequence(0, number)
            attributes = {
                "title": f"A product of the benchmark, number {number}", "category": f"category-{number % 50}",
                "brand": f"brand-{number % 300}", "colour": "blue", "price": number % 1000, "sales": number,
                "praise": 0.9,
            }  # fmt: skip
            records[kafka_partition(product.encode(), EVENT_PARTITIONS)].append(
                ProductRecord(product, at, True, 1, attributes, [ImageEntry(url, None, at, at)])
            )
            vector = vectors[number - start].tobytes()
            content = number.to_bytes(32, "big")
            found.append(FeatureRecord(image_key(url), extractor, vector, content, 1, 20.0, url))
        for partition, chunk in enumerate(records):
            products.write(partition, chunk, start + count)
        features.put_many(found)
    products.close()
    features.close()
    file.flush()


def build(folder: Path, images: int, dimension: int, shards: int, kind: str, lists: int) -> None:
    """The building part of a build, on a mini-cluster of this process; prints the generation as JSON."""
    import msgspec

    from generations.folder import new_name, seal_generation
    from indexing.build.builder import BuildSettings
    from indexing.lists.kinds import IndexKind
    from jobs.full_index.build.cut import Cut
    from jobs.full_index.build.options import BuildTarget
    from jobs.full_index.build.run import build_generation
    from jobs.full_index.main import batch_environment
    from jobs.pipeline.extraction.extractors import ExtractorSpec

    target = BuildTarget(
        extractor=ExtractorSpec(EXTRACTOR.format(dimension=dimension), "efficientnet_lite0"),
        shards=shards,
        settings=BuildSettings(kind=IndexKind(kind), nlist=lists or None),
    )
    cut = Cut(
        catalogue=folder / "catalogue",
        features=folder / "features",
        event_partitions=EVENT_PARTITIONS,
        feature_partitions=FEATURE_PARTITIONS,
        delta_ends=[0] * shards,
        progress=[[]] * shards,
        oldest=[0] * EVENT_PARTITIONS,
    )
    name = new_name()
    unfinished = folder / f".build-{name}"
    generation = build_generation(name, target, cut, unfinished, folder / "work", partial(batch_environment, True))
    assert generation.catalogue_valid == images, generation.catalogue_valid
    assert generation.catalogue_digests == [shard.digest for shard in generation.shards]
    seal_generation(unfinished, generation)
    unfinished.rename(folder / name)
    (folder / "generation.json").write_bytes(msgspec.json.encode(generation))


def reference(folder: Path, shards: int, lists: int, sample: int) -> None:
    """faiss on the same data: per shard an IndexIVFFlat, trained on `sample` vectors (0: all) and filled.

    Prints its seconds as JSON, and how near the vectors are to their centroids.
    """
    import faiss as _faiss

    faiss: Any = _faiss
    vectors = np.load(folder / "vectors.npy")
    began = time.perf_counter()
    taken: dict[str, float] = {"train_s": 0.0, "add_s": 0.0}
    indexes = []
    for own in np.array_split(vectors, shards):
        quantizer = faiss.IndexFlatIP(own.shape[1])
        index = faiss.IndexIVFFlat(quantizer, own.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = 1
        started = time.perf_counter()
        index.train(own[:sample] if sample else own)
        taken["train_s"] += time.perf_counter() - started
        started = time.perf_counter()
        index.add(own)
        taken["add_s"] += time.perf_counter() - started
        indexes.append(index)
    wall = time.perf_counter() - began
    assert sum(index.ntotal for index in indexes) == len(vectors)
    parts = zip(indexes, np.array_split(vectors, shards), strict=True)
    near = [float(index.quantizer.search(own[-_COMPARED:], 1)[0].mean()) for index, own in parts]
    iterations = indexes[0].cp.niter
    print(json.dumps({"wall_s": wall, "iterations": iterations, "similarity": float(np.mean(near)), **taken}))


def similarity_of(folder: Path, shards: int, lists: int, dimension: int) -> float:
    """How near the last vectors are to the centroids that the build came to: mean inner product."""
    from indexing.training.nearest import CentroidSearch

    vectors = np.load(folder / "vectors.npy", mmap_mode="r")[-_COMPARED:]
    (built,) = (path.parent for path in folder.glob("*/shard-0"))
    found = []
    for shard in range(shards):
        centroids = np.fromfile(built / f"shard-{shard}" / "centroids.bin", dtype=np.float32).reshape(lists, dimension)
        found.append(float(CentroidSearch(centroids).nearest(vectors)[1].mean()))
    return float(np.mean(found))


class PeakMemory:
    """The greatest memory of a process and its children: shared pages counted once (PSS) where the kernel tells."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._stop = threading.Event()
        self.peak = self.anonymous = 0
        self.by_process: dict[str, int] = {}
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            total = anonymous = 0
            by_process: dict[str, int] = {}
            try:
                tree = [self._root, *self._root.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for process in tree:
                try:
                    pss, own = memory_of(process)
                    by_process[f"{process.name()} {process.pid}"] = pss
                except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                    continue  # it ended between being listed and being read
                total, anonymous = total + pss, anonymous + own
            if total > self.peak:
                self.peak, self.by_process = total, by_process
            self.anonymous = max(self.anonymous, anonymous)


def memory_of(process: psutil.Process) -> tuple[int, int]:
    """(bytes in memory, of these not backed by a file)."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        return sizes["Pss"], sizes["Pss_Anon"]
    except (PermissionError, KeyError, OSError):
        found = process.memory_info()
        return int(found.rss), int(found.rss - found.shared)


def measured(part: str, *arguments: object) -> tuple[float, PeakMemory, str]:
    """Runs a part of this benchmark in a process of its own: seconds from its start to its end, memory, output."""
    from cli.runtime.flink.parts import flink_environment
    from schemas.settings import load_settings

    settings = load_settings({}, home=str(arguments[0]) + "/home")
    environment = flink_environment(settings)
    environment["JVM_ARGS"] = "-Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.index.build", "--part", part, *(str(each) for each in arguments)]
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(command, stdout=output, env=environment)
        memory = PeakMemory(child.pid)
        code = child.wait()
        wall = time.perf_counter() - began
        memory.stop()
        if code:
            raise SystemExit(f"{part} failed with exit code {code}")
        output.seek(0)
        return wall, memory, output.read()


def compare(folder: Path, images: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One size: stores filled, built, then faiss on the same vectors."""
    from cli.runtime.flink.configuration import write_configuration
    from schemas.settings import load_settings

    folder.mkdir()
    settings = load_settings({}, home=str(folder / "home"))
    write_configuration(settings)
    wall, _, _ = measured("fill", folder, images, arguments.dimension, arguments.seed)
    print(f"{images} images: stores filled in {wall:.1f} s", flush=True)
    wall, memory, _ = measured(
        "build", folder, images, arguments.dimension, arguments.shards, arguments.kind, arguments.lists
    )
    generation = json.loads((folder / "generation.json").read_bytes())
    print(f"{images} images: built in {wall:.1f} s", flush=True)
    training = generation["shards"][0]["training"]
    _, faiss_memory, output = measured("faiss", folder, arguments.shards, training["nlist"], training["sample"])
    faiss = json.loads(output.splitlines()[-1])
    _, default_memory, output = measured("faiss", folder, arguments.shards, training["nlist"], 0)
    default = json.loads(output.splitlines()[-1])
    mib = 2**20
    return {
        "build_s": wall,
        "faiss_s": faiss["wall_s"],
        "build_over_faiss": wall / faiss["wall_s"],
        "faiss_default_s": default["wall_s"],
        "build_over_faiss_default": wall / default["wall_s"],
        "build_memory_mib": memory.peak / mib,
        "build_memory_without_files_mib": memory.anonymous / mib,
        "faiss_memory_mib": faiss_memory.peak / mib,
        "build_memory_over_faiss": memory.peak / faiss_memory.peak,
        "build_memory_by_process_mib": {name: size / mib for name, size in memory.by_process.items()},
        "build_phases_s": {"flink_and_python_start_s": wall - generation["took_s"]["build"], **generation["took_s"]},
        "faiss_phases_s": {"train_s": faiss["train_s"], "add_s": faiss["add_s"]},
        "faiss_default_phases_s": {"train_s": default["train_s"], "add_s": default["add_s"]},
        "faiss_default_memory_mib": default_memory.peak / mib,
        "similarity_to_centroid": similarity_of(folder, arguments.shards, training["nlist"], arguments.dimension),
        "faiss_similarity_to_centroid": faiss["similarity"],
        "faiss_default_similarity_to_centroid": default["similarity"],
        "lists": training["nlist"],
        "sample": training["sample"],
        "faiss_iterations": faiss["iterations"],
        "nprobe": generation["shards"][0]["nprobe"],
        "recall_at_10": min(shard["recall"] for shard in generation["shards"]),
        "files_mib": sum(shard["bytes"] for shard in generation["shards"]) / mib,
    }


def main(argv: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] == ["--part"]:
        return run_part(arguments[1], arguments[2:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index.build", description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--kind", default="ivf_flat", help="faiss is always IndexIVFFlat")
    parser.add_argument("--lists", type=int, default=0, help="inverted lists a shard; default: from its images")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where to work (3 x the vectors); default: /tmp")
    parser.add_argument("--name", default="build", help="name of the result file")
    parsed = parser.parse_args(arguments)
    figures: dict[str, Any] = {}
    for images in parsed.images:
        folder = Path(tempfile.mkdtemp(prefix="vitrine-bench-build-", dir=parsed.folder))
        try:
            figures[f"images_{images}"] = rounded(compare(folder / "run", images, parsed))
        finally:
            shutil.rmtree(folder)
    parameters = {name: value for name, value in vars(parsed).items() if name not in ("folder", "name")}
    write_result(parsed.name, {**parameters, "cores": len(os.sched_getaffinity(0))}, figures)
    return 0


def run_part(part: str, arguments: Sequence[str]) -> int:
    """What `measured` runs in a process of its own."""
    folder = Path(arguments[0])
    if part == "fill":
        fill_stores(folder, *(int(each) for each in arguments[1:]))
    elif part == "build":
        images, dimension, shards, kind, lists = arguments[1:]
        build(folder, int(images), int(dimension), int(shards), kind, int(lists))
    else:
        reference(folder, *(int(each) for each in arguments[1:]))
    return 0


def rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """To four digits, whatever the depth."""
    found: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, dict):
            value = rounded(value)
        found[name] = float(f"{value:.4g}") if isinstance(value, float) else value
    return found


if __name__ == "__main__":
    raise SystemExit(main())
