"""Does the encoder find the right thing? Exact products and labels on two real catalogues.

    python -m benchmarks.retrieval [--encoder NAME ...] [--bfloat16]

- apparel: studio photographs; the query is another view (back, side) of a product. Is that very
  product first (@1), or among the first five (@5)?
- clothing: photographs that people took at home; is the first answer the same kind of garment?

Exact search: this measures the vectors, not an index. Skips, saying so, where the data is absent.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import write_result
from schemas.settings import Settings
from vision.decode import ImageLimits
from vision.embedder import Embedder, create_embedder
from vision.environment import MALLOC_ENV

_BATCH = 16


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", nargs="+", default=[Settings().encoder], help="encoders by name, default: ours")
    parser.add_argument("--weights", default="", help="weights file of a torchvision encoder")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of the network, 0: PyTorch's default")
    parser.add_argument("--bfloat16", action="store_true", help="allow bfloat16 where the processor multiplies it")
    arguments = parser.parse_args()
    data = shared_data()
    if not (data / "apparel").is_dir() or not (data / "clothing").is_dir():
        print(f"skipped: {data} has no apparel and clothing (VITRINE_SHARED names the folder above data)")
        return 0
    if any(name not in os.environ for name in MALLOC_ENV):
        os.execve(
            sys.executable, [sys.executable, "-m", "benchmarks.retrieval", *sys.argv[1:]], os.environ | MALLOC_ENV
        )
    figures = {}
    for number, name in enumerate(arguments.encoder):
        embedder = create_embedder(name, arguments.weights, threads=arguments.threads, bfloat16=arguments.bfloat16)
        figures[embedder.extractor_id] = measure(embedder, data)
        # After each, because they take minutes.
        write_result("retrieval", vars(arguments) | {"encoder": arguments.encoder[: number + 1]}, figures)
    return 0


def shared_data() -> Path:
    """VITRINE_SHARED/data, or `../shared/data` beside the repository."""
    root = Path(__file__).resolve().parent.parent
    return Path(os.environ.get("VITRINE_SHARED") or root.parent / "shared") / "data"


def measure(embedder: Embedder, data: Path) -> dict[str, Any]:
    """Shares of queries answered rightly, and the speed of the network alone."""
    started = time.perf_counter()
    apparel = Catalogue(data / "apparel", "product_id")
    clothing = Catalogue(data / "clothing", "category")
    seconds = 0.0
    for catalogue in (apparel, clothing):
        seconds += catalogue.embed(embedder)
    images = len(apparel.files) + len(clothing.files)
    return {
        "apparel_product_at_1": round(apparel.found(1), 4),
        "apparel_product_at_5": round(apparel.found(5), 4),
        "clothing_label_at_1": round(clothing.found(1), 4),
        "images": images,
        "network_images_per_s": round(images / seconds, 1),
        "images_per_s": round(images / (time.perf_counter() - started), 1),
    }


class Catalogue:
    """One data set: catalogue images, then query images, each with the answer (`field`) that it stands for."""

    def __init__(self, folder: Path, field: str) -> None:
        products = _lines(folder / "products.jsonl")
        queries = _lines(folder / "queries.jsonl")
        pairs = [(folder / image, product[field]) for product in products for image in product["images"]]
        self.size = len(pairs)
        pairs += [(folder / query["image"], query[field]) for query in queries]
        self.files = [file for file, _ in pairs]
        self.answers = [answer for _, answer in pairs]
        self.vectors: NDArray[np.float32] = np.empty((0, 0), np.float32)

    def embed(self, embedder: Embedder) -> float:
        """Fills `vectors`; returns the seconds spent in the network."""
        limits = ImageLimits()
        seconds = 0.0
        rows = []
        with ThreadPoolExecutor(2) as pool:
            prepared = pool.map(lambda file: embedder.prepare(file.read_bytes(), limits), self.files)
            for batch in _batches(prepared):
                started = time.perf_counter()
                rows.append(embedder.embed(batch))
                seconds += time.perf_counter() - started
        self.vectors = np.concatenate(rows)
        return seconds

    def found(self, k: int) -> float:
        """Share of queries whose answer is among the first `k` different answers."""
        scores = self.vectors[self.size :] @ self.vectors[: self.size].T
        hits = 0
        for query, row in enumerate(np.argsort(-scores, axis=1, kind="stable")):
            best = list(dict.fromkeys(self.answers[image] for image in row[: k * 20]))[:k]
            hits += self.answers[self.size + query] in best
        return hits / len(scores)


def _batches(prepared: Any) -> Any:
    batch: list[NDArray[np.uint8]] = []
    for item in prepared:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _lines(file: Path) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    sys.exit(main())
