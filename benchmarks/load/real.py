"""Features of real pictures in any number: the shared catalogues' images, then random crops of them.

A crop is another view of the same thing, as a second photograph of a product
is: 30 to 100 % of the picture, half of them mirrored. 50,000 take the default
extractor some five minutes of two cores; they are kept in `.cache/bench`.
They are the composite's, searched as they are: what is measured with them is faiss's part beside ours.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmarks.harness.result import REPOSITORY
from benchmarks.harness.system import COMPOSITE
from benchmarks.retrieval.catalogue import shared_data
from vision.embedder import Embedder, create_embedder
from vision.pictures.preprocess import model_input

_CACHE = REPOSITORY / ".cache" / "bench"
_BATCH = 32
_LEAST_SHARE = 0.3
_MIRRORED = 0.5
_QUERIES = 500


def real_vectors(count: int, seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """(vectors (count, dimension), 500 queries) by the composite, or None where the data is absent.

    Queries are views that are not among the vectors.
    """
    files = sorted(file for name in ("apparel", "clothing") for file in (shared_data() / name).rglob("*.jpg"))
    if not files:
        return None
    embedder = create_embedder(COMPOSITE)
    kept = _CACHE / f"real-{embedder.extractor_id}-{len(files)}-{count}-{seed}.npy"
    if kept.is_file():
        everything = np.load(kept)
    else:
        everything = _embedded(embedder, files, count + _QUERIES, seed)
        _CACHE.mkdir(parents=True, exist_ok=True)
        np.save(kept, everything)
    # The queries are a draw from all that was made: of every picture alike.
    order = np.random.default_rng(seed).permutation(len(everything))
    return np.ascontiguousarray(everything[order[_QUERIES:]]), np.ascontiguousarray(everything[order[:_QUERIES]])


def _embedded(embedder: Embedder, files: list[Path], count: int, seed: int) -> NDArray[np.float32]:
    logging.info("embedding %d views of %d pictures", count, len(files))
    views = math.ceil(count / len(files))
    rows: list[NDArray[np.float32]] = []
    with ThreadPoolExecutor(2) as pool:
        batch: list[NDArray[np.uint8]] = []
        for first in range(0, len(files), _BATCH):
            chosen = list(enumerate(files[first : first + _BATCH], first))
            for made in pool.map(
                lambda each: list(_views(each[1], views, embedder.image_size, seed + each[0])), chosen
            ):
                batch += made
            while len(batch) >= _BATCH:
                rows.append(embedder.embed(batch[:_BATCH]))
                batch = batch[_BATCH:]
        rows.append(embedder.embed(batch))
    return np.concatenate(rows)[:count]


def _views(file: Path, count: int, size: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    random = np.random.default_rng(seed)
    with Image.open(file) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    yield model_input(picture, size)
    for _ in range(count - 1):
        side = math.sqrt(random.uniform(_LEAST_SHARE, 1))
        width, height = round(side * picture.width), round(side * picture.height)
        left, top = random.integers(0, picture.width - width + 1), random.integers(0, picture.height - height + 1)
        crop = picture.crop((int(left), int(top), int(left) + width, int(top) + height))
        yield model_input(ImageOps.mirror(crop) if random.random() < _MIRRORED else crop, size)
