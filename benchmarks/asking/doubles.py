"""Benchmark `doubles`: are copies of a picture told from other pictures, and what does merging cost a query?

Of pictures of both real catalogues, copies are made as other sellers make them (`benchmarks/load/one_picture.py`).
Recall: the share of copies that are as alike to their original as a threshold says. False merges: the share of all the
catalogue's pictures that are as alike to one that shows another thing and is not stated to have another colour. By
encoder and threshold; of base features also as the shipped prior tunes them. The cost is
processor time of a search over a shard of random vectors, and of the page made of it, with doubles merged and without.
Skips, saying so, where the data is absent.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import REPOSITORY, rounded, write_result
from benchmarks.harness.system import COMPOSITE
from benchmarks.load.one_picture import ASIDE, COPIES, copies, one_thing
from benchmarks.retrieval.catalogue import lines, shared_data
from indexing.look.shipped import shipped_prior
from indexing.look.training import prior_alone
from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from schemas.deltas.delta import DeltaBatch
from schemas.doubles import colour_of
from schemas.doubles import told_apart as told_apart_by_colour
from schemas.features.blocks import blocks_of
from schemas.features.ids import dimension_of, tuned_id
from schemas.found import decode_found, encode_found
from schemas.ids import image_id
from schemas.query.body import VectorAsked
from schemas.query.indexed import Indexed
from schemas.query.question import Question
from schemas.search_pb2 import Found
from serving.blender.asking.questions import BEHIND
from serving.blender.ranking.candidates import Candidates, products_wanted
from serving.blender.ranking.ranking import Page, Ranking
from vision.embedder import Embedder, create_embedder
from vision.extractor import extractor_id
from vision.pictures.decode import ImageLimits
from vision.same_picture import least_likeness

THRESHOLDS = (0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.965, 0.97, 0.975, 0.98, 0.985, 0.99, 0.995)
CATALOGUES = ("apparel", "clothing")
KINDS = (*COPIES, *ASIDE)
_CACHE = REPOSITORY / ".cache" / "bench"
_BATCH = 16

Rows = NDArray[np.float32]


def embedded(embedder: Embedder, pictures: Iterator[bytes]) -> Rows:
    limits = ImageLimits()
    rows, batch = [], []
    for data in pictures:
        batch.append(embedder.prepare(data, limits))
        if len(batch) == _BATCH:
            rows.append(embedder.embed(batch))
            batch = []
    rows.append(embedder.embed(batch))
    return np.concatenate(rows)


@dataclass(frozen=True, slots=True)
class Pictures:
    """A catalogue's: all of them, and copies of those chosen. names, colours: of each; colours as the shop states them.

    originals (n, d), made (kinds, chosen, d): vectors, in the order of `COPIES` and `ASIDE`.
    """

    folder: Path
    names: list[str]
    colours: list[str]
    chosen: NDArray[np.intp]
    originals: Rows
    made: Rows


@cache
def embedder_of(encoder: str, threads: int) -> Embedder:
    """Loaded only where vectors are not kept."""
    return create_embedder(encoder, threads=threads)


def pictures_of(encoder: str, threads: int, folder: Path, count: int, seed: int) -> Pictures:
    """The vectors are kept in `.cache/bench`: they take minutes."""
    listed = [(image, product) for product in lines(folder / "products.jsonl") for image in product["images"]]
    names = [image for image, _ in listed]
    chosen = np.sort(np.random.default_rng(seed).permutation(len(names))[:count])
    kept = _CACHE / f"doubles-{folder.name}-{extractor_id(encoder)}-{len(names)}-{count}-{seed}.npz"
    if kept.is_file():
        with np.load(kept) as found:
            originals, made = found["originals"], found["copies"]
    else:
        embedder = embedder_of(encoder, threads)
        originals = embedded(embedder, ((folder / name).read_bytes() for name in names))
        files = [(folder / names[number], seed + number) for number in chosen.tolist()]
        made = np.stack([embedded(embedder, (copies(file, kind, drawn) for file, drawn in files)) for kind in KINDS])
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, originals=originals, copies=made)
    return Pictures(folder, names, [colour_of(product) for _, product in listed], chosen, originals, made)


def told_apart(pictures: Pictures, tuned: Callable[[Rows], Rows], used: float) -> dict[str, Any]:
    """Recall by kind of copy, and false merges, at each threshold and at the one that is `used`."""
    originals = tuned(pictures.originals)
    made = np.stack([tuned(rows) for rows in pictures.made])
    likeness = np.einsum("kij,ij->ki", made, originals[pictures.chosen])
    alikes = np.triu(originals @ originals.T, 1)
    lefts, rights = np.nonzero(alikes >= THRESHOLDS[0])
    pairs = [
        (left, right, alikes[left, right], told_apart_by_colour(pictures.colours[left], pictures.colours[right]))
        for left, right in zip(lefts.tolist(), rights.tolist(), strict=True)
        if not one_thing(pictures.names[left], pictures.names[right])
    ]
    figures: dict[str, Any] = {}
    for least in sorted({*THRESHOLDS, used}):
        near = [(left, right, apart) for left, right, alike, apart in pairs if alike >= least]
        wrong = {number for left, right, apart in near if not apart for number in (left, right)}
        by_picture = {number for left, right, _ in near for number in (left, right)}
        figures[f"{least:g}"] = {
            "recall": float((likeness[: len(COPIES)] >= least).mean()),
            "recall_by_kind": dict(zip(KINDS, (likeness >= least).mean(axis=1).tolist(), strict=True)),
            "false_merges": len(wrong) / len(pictures.names),
            "false_merges_without_colours": len(by_picture) / len(pictures.names),
        }
    return figures


@cache
def spaces(encoder: str) -> dict[str, Callable[[Rows], Rows]]:
    """What pictures may be searched by: vectors as they are, and as the shipped prior makes them of base features."""
    found: dict[str, Callable[[Rows], Rows]] = {encoder: lambda rows: rows}
    prior = shipped_prior(extractor_id(encoder)) if blocks_of(encoder) else None
    if prior is not None:
        found[f"{encoder}, tuned"] = prior_alone(prior).items
    return found


def cost(images: int, dimension: int, limit: int, seed: int, questions: int = 40) -> dict[str, float]:
    """Of a page of `limit` products, in the searcher and in the blender; a tenth of the images are copies."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((images, dimension)).astype(np.float32)
    vectors[: images // 10] = vectors[images // 10 : 2 * (images // 10)]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shard = Shard(f"test_encoder-0badcafe-p1-{dimension}", dimension)
    shard.open_attributes(Indexed())
    batch = DeltaBatch(shard.extractor_id)
    for number, vector in enumerate(vectors):
        product, url = f"product-{number}", f"https://shop.example/images/{number}.jpg"
        attributes = msgspec.json.encode({"title": f"A product of the benchmark, number {number}"})
        batch.add(
            *(image_id(product, url), product), state_seq=1, valid=True, image_seq=1, url=url, price=1.0, sales=1,
            praise=0.9, attributes=attributes, vector_seq=1, vector=vector.tobytes(),
        )  # fmt: skip
    shard.apply(batch)
    question = Question(vectors=(VectorAsked((1.0,)),), limit=limit)
    asked = vectors[random.integers(0, images, questions)]
    wanted = 2 * products_wanted(question, 0)
    wanted_merged = wanted + 2 * BEHIND

    def searched(row: Rows, merges: bool) -> bytes:
        answer = shard.answer(ShardQuestion(row[None], wanted_merged if merges else wanted, with_vectors=merges))
        return encode_found(answer.found).SerializeToString()

    def shown(data: bytes, least: float | None) -> Page:
        found = Found.FromString(data)
        (hits,) = decode_found(found, 1)
        by_image = {hit.image_id: np.frombuffer(hit.vector, "<f4") for hit in hits if hit.vector}
        return Ranking(question, Candidates(look=hits, exhausted=False), now_ms=1, least=least).page(by_image)

    plain, merged = [searched(row, False) for row in asked], [searched(row, True) for row in asked]
    figures: dict[str, float] = {"bytes_a_shard": len(plain[0]), "bytes_a_shard_merged": len(merged[0])}
    for name, work in {
        "searcher_ms": lambda: [searched(row, False) for row in asked],
        "searcher_ms_merged": lambda: [searched(row, True) for row in asked],
        "blender_ms": lambda: [shown(data, None) for data in plain],
        "blender_ms_merged": lambda: [shown(data, 0.97) for data in merged],
    }.items():
        figures[name] = least_ms(work) / questions
    return figures


def least_ms(work: Callable[[], object]) -> float:
    """Milliseconds of this thread's processor time; best of seven."""
    took = []
    for _ in range(7):
        began = time.thread_time()
        work()
        took.append(time.thread_time() - began)
    return min(took) * 1000


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asking.doubles", description=__doc__)
    parser.add_argument("--encoder", nargs="+", default=[COMPOSITE, "efficientnet_lite0_blocks"])
    parser.add_argument("--pictures", type=int, default=150, help="of each catalogue that copies are made of")
    parser.add_argument("--images", type=int, default=10_000, help="of the shard that the cost is measured on")
    parser.add_argument("--limits", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="doubles", help="name of the result file")
    arguments = parser.parse_args(argv)
    data = shared_data()
    if not all((data / name).is_dir() for name in CATALOGUES):
        print(f"skipped: {data} has no apparel and clothing (VITRINE_SHARED names the folder above data)")
        return 0
    figures: dict[str, Any] = {"told_apart": {}, "cost": {}}
    for encoder in arguments.encoder:
        for name in CATALOGUES:
            pictures = pictures_of(encoder, arguments.threads, data / name, arguments.pictures, arguments.seed)
            for space, tuned in spaces(encoder).items():
                features, numbers = extractor_id(encoder), tuned(pictures.originals[:1]).shape[1]
                used = least_likeness(
                    features if numbers == dimension_of(features) else tuned_id(features, "0" * 8, numbers)
                )
                found = figures["told_apart"].setdefault(space, {"used": f"{used:g}"})
                found[name] = told_apart(pictures, tuned, used)
    for limit in arguments.limits:
        figures["cost"][f"limit_{limit}"] = cost(arguments.images, 768, limit, arguments.seed)
    write_result(arguments.name, vars(arguments), rounded(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
