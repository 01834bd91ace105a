"""Benchmark `queries`: queries/s and latency over HTTP, alone and under updates, and what recall the answers have.

The shop's features are base features of the default encoder, drawn so that what is searched of them has clusters
(`load/drawn.py`). Vector queries are raw float32, as they are searched; photos JPEG files of 320 x 320 that differ from
each other, words one to three of a product's title; filtered ones are vectors
among a half, a tenth and a hundredth of the products; suggestions go on from
what is typed of such words (`--kinds`). All go to the
blender over keep-alive connections, one query on its way per connection, from a
client process on the same machine. The updates are JD's mix of known images at
--updates events/s through the whole system.
Recall@10 is against exact search in numpy over all that the shards score; after the updates,
when some products are off the shelf, against the shards' own with every list
probed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import grpc
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.processes import CpuMeter
from benchmarks.harness.result import write_result
from benchmarks.harness.system import FIRST_PORT, BenchSystem, bench_settings, temporary_home
from benchmarks.load.drawn import drawn_features
from benchmarks.load.events import LoadGenerator
from benchmarks.load.http import HttpLoad, get, post, post_file
from benchmarks.load.shop import draw_photo, fill_feature_store, image_url, words_of
from schemas.found import decode_found
from schemas.search_pb2 import SearchRequest
from schemas.search_pb2_grpc import SearchStub
from schemas.settings import Settings

LIMIT = 10
QUERIES = 500
ALL_LISTS = 1_000_000
WARM_UP_S = 2.0
KINDS = ("vectors", "photos", "words", "filtered", "suggest")


def recall(settings: Settings, queries: NDArray[np.float32], exact: Sequence[set[str]]) -> float:
    """Mean share of the exact ten images that the system's answers hold."""
    shares = [len(found & best) / LIMIT for found, best in zip(answers(settings, queries), exact, strict=True)]
    return float(np.mean(shares))


def answers(settings: Settings, queries: NDArray[np.float32], nprobe: int = 0) -> list[set[str]]:
    """The broker's ten best images per query, by URL. nprobe 0: the shards' own."""
    vectors_sent = queries.astype("<f4").tobytes()
    request = SearchRequest(vectors=vectors_sent, count=len(queries), limit=LIMIT, nprobe=nprobe)
    with grpc.insecure_channel(f"127.0.0.1:{settings.grpc_port}") as channel:
        stub: Any = SearchStub(channel)  # type: ignore[no-untyped-call]
        found = stub.Search(request, timeout=120).found
        return [{hit.url for hit in hits} for hits in decode_found(found, len(queries))]


def exact_answers(matrix: NDArray[np.float32], queries: NDArray[np.float32]) -> list[set[str]]:
    """The same over all of `matrix`, whose row number is the product's."""
    best = np.argpartition(-(queries @ matrix.T), LIMIT, axis=1)[:, :LIMIT]
    return [{image_url(number) for number in row} for row in best.tolist()]


def vector_requests(queries: NDArray[np.float32]) -> list[bytes]:
    path = f"/v1/search/vector?limit={LIMIT}"
    return [post(path, "application/octet-stream", query.astype("<f4").tobytes()) for query in queries]


def photo_requests(count: int) -> list[bytes]:
    return [post_file(f"/v1/search/image?limit={LIMIT}", "image", draw_photo(seed)) for seed in range(count)]


def word_requests(images: int) -> list[bytes]:
    """One to three words of products drawn at random, ended, so that the last one is no beginning of another."""
    random = np.random.default_rng(3)
    asked = [(int(random.integers(images)), 1 + number % 3) for number in range(500)]
    return [get(f"/v1/search/text?{urlencode({'q': words_of(*each) + ' ', 'limit': LIMIT})}") for each in asked]


def suggest_requests(images: int) -> list[bytes]:
    """One or two words of products drawn at random, the last of them begun with two letters."""
    random = np.random.default_rng(4)
    asked = [words_of(int(random.integers(images)), 1 + number % 2).split() for number in range(500)]
    return [get(f"/v1/suggest?{urlencode({'q': ' '.join((*words[:-1], words[-1][:2]))})}") for words in asked]


def filtered_requests(queries: NDArray[np.float32]) -> list[bytes]:
    """Vectors, each among the half, tenth or hundredth of the products whose sales are low enough."""
    paths = [f"/v1/search/vector?limit={LIMIT}&filter=sales:..{share}" for share in (500, 100, 10)]
    return [
        post(paths[number % 3], "application/octet-stream", query.astype("<f4").tobytes())
        for number, query in enumerate(queries)
    ]


def measure(
    system: BenchSystem, client: HttpLoad, connections: Sequence[int], seconds: float, load: LoadGenerator
) -> dict[str, Any]:
    """Per number of connections: rate, percentiles and processor time."""
    figures: dict[str, Any] = {}
    for number in connections:
        client.run(number, WARM_UP_S).figures()
        meter = CpuMeter(system, {"load-generator": load.pid})
        found: dict[str, Any] = dict(client.run(number, seconds).figures())
        figures[f"{number}_connections"] = found | {"cores": meter.cores()}
    return figures


def under_updates(
    system: BenchSystem,
    client: HttpLoad,
    connections: Sequence[int],
    seconds: float,
    load: LoadGenerator,
    per_s: float,
) -> dict[str, Any]:
    """The same while the load generator updates; it says what rate it managed."""
    load.begin("mix", None, per_s)
    figures = measure(system, client, connections, seconds, load)
    figures["watermark_age_ms_at_the_end"] = round(system.watermark_lag_ms())
    produced = load.end()
    figures["updates_per_s"] = round(produced.per_s)
    system.until_applied(produced.last_append_ms)
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answering.queries", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--updates", type=float, default=1000.0, help="events/s of the runs under updates")
    parser.add_argument("--kinds", nargs="+", default=["vectors", "photos"], choices=KINDS)
    parser.add_argument("--photos", type=int, default=200, help="different photos")
    parser.add_argument("--encoder", default="", help="default: the system's")
    parser.add_argument("--first-port", type=int, default=FIRST_PORT)
    parser.add_argument("--name", default="queries", help="name of the result file")
    arguments = parser.parse_args(argv)
    with temporary_home() as home:
        encoder = {"encoder": arguments.encoder} if arguments.encoder else {}
        settings = bench_settings(home, arguments.first_port, **encoder)
        drawn = drawn_features(settings)
        matrix = drawn.searched(fill_feature_store(settings, drawn, arguments.images))
        queries = drawn.queries(QUERIES)
        made = {
            "vectors": lambda: vector_requests(queries),
            "photos": lambda: photo_requests(arguments.photos),
            "words": lambda: word_requests(arguments.images),
            "filtered": lambda: filtered_requests(queries),
            "suggest": lambda: suggest_requests(arguments.images),
        }
        turns = {name: made[name]() for name in arguments.kinds}
        with BenchSystem(settings).running() as system:
            load = LoadGenerator(settings.kafka, arguments.images)
            with system.progress.step(f"listing {arguments.images} products"):
                system.until_applied(load.run("listings", arguments.images).last_append_ms)
                system.until_trained()
            figures: dict[str, Any] = {
                "recall_at_10": round(recall(settings, queries, exact_answers(matrix, queries)), 4)
            }
            figures["index"] = {
                f"shard_{view.shard}": {"kind": view.index, "memory_mib": view.memory_bytes >> 20}
                for view in system.shards()
            }
            for name, requests in turns.items():
                client = HttpLoad(settings.http_port, requests)
                with system.progress.step(f"{name}, alone"):
                    alone = measure(system, client, arguments.connections, arguments.seconds, load)
                with system.progress.step(f"{name}, under {arguments.updates:g} updates/s"):
                    beside = under_updates(
                        system, client, arguments.connections, arguments.seconds, load, arguments.updates
                    )
                client.close()
                figures[f"{name}_alone"], figures[f"{name}_under_updates"] = alone, beside
                figures[f"{name}_rate_under_updates_over_alone"] = {
                    key: round(beside[key]["queries_per_s"] / alone[key]["queries_per_s"], 3) for key in alone
                }
            every_list = answers(settings, queries, ALL_LISTS)
            figures["recall_at_10_after_updates"] = round(recall(settings, queries, every_list), 4)
            load.close()
    parameters = {**vars(arguments), "extractor": drawn.look.extractor_id, "shards": settings.shards, "limit": LIMIT}
    write_result(arguments.name, parameters, figures)
    for name in turns:
        for key, found in figures[f"{name}_alone"].items():
            beside = figures[f"{name}_under_updates"][key]
            print(f"{name:8} {key:16} alone {found['queries_per_s']:8.1f}/s p50 {found['p50_ms']:6.1f} ms "
                  f"p99 {found['p99_ms']:6.1f} ms   under updates {beside['queries_per_s']:8.1f}/s "
                  f"p50 {beside['p50_ms']:6.1f} ms p99 {beside['p99_ms']:6.1f} ms")  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
