"""The real catalogues, each with its questions and their answers; where they lie, and their pictures as vectors."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import REPOSITORY
from vision.embedder import Embedder
from vision.pictures.decode import ImageLimits

_BATCH = 16


def shared_data() -> Path:
    """VITRINE_SHARED/data, or `../shared/data` beside the repository."""
    return Path(os.environ.get("VITRINE_SHARED") or REPOSITORY.parent / "shared") / "data"


class Catalogue:
    """One data set: catalogue images, then query images, each with the answer (`field`) that it stands for."""

    def __init__(self, folder: Path, field: str) -> None:
        products = lines(folder / "products.jsonl")
        queries = lines(folder / "queries.jsonl")
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


def lines(file: Path) -> Sequence[dict[str, Any]]:
    """Products, or questions."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
