"""Base features of a real catalogue, its questions, and views of a sample of its pictures; kept in `.cache/bench`."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import REPOSITORY
from benchmarks.retrieval.catalogue import lines
from sample import make_sample
from vision.blocks.views import views
from vision.embedder import Embedder
from vision.pictures.decode import ImageLimits

MOST_VIEWED = 1_000
"""Pictures of a catalogue that views are made of: what a build's setting bounds."""
VIEWS = 4
SEED = 1
SAMPLE_PRODUCTS, SAMPLE_IMAGES = 600, 900
_BATCH = 16
_CACHE = REPOSITORY / ".cache" / "bench"

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Seen:
    """items, queries: rows of base features. views: those of the pictures `viewed`, `VIEWS` of each in turn.

    product, category: of each item; wanted: of each query the answer, a product or a category by `field`.
    ms: milliseconds of one core that a picture took, decoded and embedded.
    """

    name: str
    field: str
    items: Rows
    queries: Rows
    views: Rows
    viewed: NDArray[np.intp]
    product: NDArray[np.str_]
    category: NDArray[np.str_]
    wanted: NDArray[np.str_]
    ms: float

    @property
    def answers(self) -> NDArray[np.str_]:
        """What finding each item answers."""
        return self.product if self.field == "product_id" else self.category

    @property
    def products(self) -> NDArray[np.int64]:
        """A number for each item's product."""
        return np.unique(self.product, return_inverse=True)[1].astype(np.int64)

    def lessons(self) -> tuple[Rows, NDArray[np.int64]]:
        """(rows, of which product each is): what a tuning is learned from. Further pictures are views as well."""
        shown = self.products[self.viewed]
        return (
            np.concatenate([self.items[self.viewed], self.views]),
            np.concatenate([shown, np.repeat(shown, VIEWS)]),
        )

    def category_lessons(self) -> tuple[Rows, list[str], NDArray[np.int64]]:
        """(rows, their categories, their products): all pictures, and the views there are."""
        shown = self.viewed.repeat(VIEWS)
        chosen = np.concatenate([np.arange(len(self.items)), shown])
        return np.concatenate([self.items, self.views]), self.category[chosen].tolist(), self.products[chosen]


def drawn_sample() -> Path:
    """The folder of a sample catalogue, drawn where it is not there yet."""
    return make_sample(_CACHE / "sample", SAMPLE_PRODUCTS, SAMPLE_IMAGES).folder


def seen(folder: Path, field: str, embedder: Embedder) -> Seen:
    """Computed once: a quarter of an hour of one core for the larger catalogue."""
    products, questions = lines(folder / "products.jsonl"), lines(folder / "queries.jsonl")
    listed = [(folder / image, product) for product in products for image in product["images"]]
    files = [file for file, _ in listed] + [folder / question["image"] for question in questions]
    names = "\n".join(f"{file.relative_to(folder)} {file.stat().st_size}" for file in files)
    key = blake2b(f"{names}\n{MOST_VIEWED} {VIEWS} {SEED}".encode(), digest_size=8).hexdigest()
    held = _CACHE / f"{folder.name}-{embedder.extractor_id}-{key}.npz"
    viewed = np.sort(np.random.default_rng(SEED).permutation(len(listed))[:MOST_VIEWED])
    try:
        with np.load(held) as kept:
            base, shown, ms = kept["base"].astype(np.float32), kept["shown"].astype(np.float32), float(kept["ms"])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        base, shown, ms = _computed(files, viewed, embedder)
        held.parent.mkdir(parents=True, exist_ok=True)
        beside = held.with_suffix(".tmp.npz")
        np.savez(beside, base=base.astype(np.float16), shown=shown.astype(np.float16), ms=ms)
        beside.replace(held)
    return Seen(
        folder.name,
        field,
        base[: len(listed)],
        base[len(listed) :],
        shown,
        viewed,
        np.array([product["product_id"] for _, product in listed]),
        np.array([product.get("category", "") for _, product in listed]),
        np.array([question[field] for question in questions]),
        ms,
    )


def _computed(files: list[Path], viewed: NDArray[np.intp], embedder: Embedder) -> tuple[Rows, Rows, float]:
    limits = ImageLimits()
    chosen = set(viewed.tolist())
    kept: dict[int, NDArray[np.uint8]] = {}

    def prepared() -> Iterator[NDArray[np.uint8]]:
        for number, file in enumerate(files):
            picture = embedder.prepare(file.read_bytes(), limits)
            if number in chosen:
                kept[number] = picture
            yield picture

    began = time.process_time()
    base = _embedded(prepared(), embedder)
    ms = (time.process_time() - began) * 1000 / len(files)
    shown = (view for number in viewed.tolist() for view in views(kept[number], VIEWS, SEED, number))
    return base, _embedded(shown, embedder), ms


def _embedded(pictures: Iterable[NDArray[np.uint8]], embedder: Embedder) -> Rows:
    rows, batch = [], []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == _BATCH:
            rows.append(embedder.embed(batch))
            batch = []
    rows.append(embedder.embed(batch))
    return np.concatenate(rows)
