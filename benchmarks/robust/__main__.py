"""Is it still found when the photo is a bad one? The questions of both real catalogues, altered.

    python -m benchmarks.robust [--encoder NAME ...]

Rank 1 (the very product of `apparel`, the label of `clothing`) by alteration (`alterations.py`), and as a share of
what is found without any. Of an encoder of base features with what is learned from each catalogue, as a full index
has it (`tuned`), and with what is shipped (`first`; of `clothing` with what `apparel` teaches, since the shipped
prior has seen it). Exact search. Skips, saying so, where the data is absent.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import rounded, write_result
from benchmarks.harness.system import COMPOSITE
from benchmarks.retrieval.catalogue import Catalogue, lines, shared_data
from benchmarks.retrieval.features import SEED, Seen, seen
from benchmarks.retrieval.tuned import prior_of, scores, share, with_categories
from benchmarks.robust.alterations import ALTERATIONS, Alteration, altered
from indexing.category.training import train_head
from indexing.look.prior import Prior
from indexing.look.shipped import shipped_prior
from indexing.look.training import prior_alone, train_tuning
from schemas.features.blocks import Block, blocks_of
from vision.embedder import Embedder, create_embedder
from vision.pictures.decode import ImageLimits

BLOCKS = "efficientnet_lite0_blocks"
FIELDS = {"apparel": "product_id", "clothing": "category"}

Rows = NDArray[np.float32]
Search = Callable[[Rows], float]
"""Share of the questions, whose features these are, that are answered rightly at rank 1."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", nargs="+", default=[COMPOSITE, BLOCKS], help="encoders by name")
    parser.add_argument("--name", default="robust", help="of the result")
    arguments = parser.parse_args()
    data = shared_data()
    if not all((data / name).is_dir() for name in FIELDS):
        print(f"skipped: {data} has no apparel and clothing (VITRINE_SHARED names the folder above data)")
        return 0
    figures: dict[str, Any] = {}
    for number, name in enumerate(arguments.encoder):
        embedder = create_embedder(name, threads=1)
        searches = _learned(embedder, blocks_of(name), data) if blocks_of(name) else _plain(embedder, data)
        for folder in FIELDS:
            for how, found in _table(embedder, data / folder, searches[folder]).items():
                figures.setdefault(embedder.extractor_id, {}).setdefault(how, {})[folder] = found
        # After each, because they take minutes.
        write_result(arguments.name, vars(arguments) | {"encoder": arguments.encoder[: number + 1]}, rounded(figures))
    return 0


def _table(embedder: Embedder, folder: Path, searches: dict[str, Search]) -> dict[str, Any]:
    """By search and alteration: what is found at rank 1, and the share of what is found `as it is`."""
    files = [folder / question["image"] for question in lines(folder / "queries.jsonl")]
    told: dict[str, Any] = {how: {} for how in searches}
    for alteration, alter in ALTERATIONS.items():
        features = np.concatenate(list(_embedded(embedder, files, alter)))
        for how, search in searches.items():
            at_1 = search(features)
            clean = next(iter(told[how].values()), {"at_1": at_1})["at_1"]
            told[how][alteration] = {"at_1": at_1, "of_clean": at_1 / clean}
            print(f"{embedder.extractor_id} {how} {folder.name} {alteration}: {at_1:.3f}, {at_1 / clean:.2f}")
    return told


def _embedded(embedder: Embedder, files: list[Path], alter: Alteration, at_once: int = 16) -> Iterator[Rows]:
    limits = ImageLimits()
    for start in range(0, len(files), at_once):
        part = (altered(file.read_bytes(), alter) for file in files[start : start + at_once])
        yield embedder.embed([embedder.prepare_photo(picture, limits) for picture in part])


def _plain(embedder: Embedder, data: Path) -> dict[str, dict[str, Search]]:
    return {name: {"vectors": _among(data / name, field, embedder)} for name, field in FIELDS.items()}


def _among(folder: Path, field: str, embedder: Embedder) -> Search:
    catalogue = Catalogue(folder, field)
    catalogue.embed(embedder)

    def search(vectors: Rows) -> float:
        catalogue.vectors = np.concatenate([catalogue.vectors[: catalogue.size], vectors])
        return catalogue.found(1)

    return search


def _learned(embedder: Embedder, blocks: tuple[Block, ...], data: Path) -> dict[str, dict[str, Search]]:
    known = {name: seen(data / name, field, embedder) for name, field in FIELDS.items()}
    of_apparel = prior_of([known["apparel"]], embedder.extractor_id, blocks)
    priors = {"apparel": shipped_prior(embedder.extractor_id), "clothing": of_apparel}
    return {name: _tuned(each, embedder.extractor_id, blocks, priors[name]) for name, each in known.items()}


def _tuned(known: Seen, extractor_id: str, blocks: tuple[Block, ...], prior: Prior | None) -> dict[str, Search]:
    tuning = train_tuning(*known.lessons(), extractor_id, blocks, prior)
    head = train_head(*known.category_lessons(), extractor_id, blocks, SEED)
    tunings = {"tuned": with_categories(tuning, head)} | ({} if prior is None else {"first": prior_alone(prior)})

    def search(how: str) -> Search:
        return lambda rows: share(known, scores(tunings[how], replace(known, queries=rows)))["at_1"]

    return {how: search(how) for how in tunings}


if __name__ == "__main__":
    sys.exit(main())
