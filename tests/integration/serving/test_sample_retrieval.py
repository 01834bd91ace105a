"""A shopper's photo of a sample product finds that product with the default encoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.look.first import first_look
from indexing.look.looks import Tuned
from sample import make_sample
from schemas.settings import Settings
from tests.support.embedding import embed_files
from vision.decode import ImageLimits
from vision.embedder import create_embedder

pytestmark = pytest.mark.integration

PRODUCTS = 113


def test_photos_find_their_products_first(tmp_path: Path) -> None:
    sample = make_sample(tmp_path / "sample", products=PRODUCTS, images=PRODUCTS)
    embedder = create_embedder(Settings().encoder)
    look = first_look(embedder.extractor_id, tmp_path / "looks")
    assert isinstance(look, Tuned), "before the first full index the shipped prior serves"

    def embed(names: list[str]) -> NDArray[np.float32]:
        base = embed_files(embedder, [(sample.folder / name).read_bytes() for name in names], ImageLimits())
        return look.tuning.items(base)

    rows = [json.loads(line) for line in sample.products_file.read_text().splitlines()]
    queries = [json.loads(line) for line in sample.queries_file.read_text().splitlines()]
    scores = embed([query["image"] for query in queries]) @ embed([row["images"][0] for row in rows]).T
    found = [rows[int(best)]["product_id"] for best in scores.argmax(axis=1)]
    assert found[0] == sample.demo_product_id
    right = sum(query["product_id"] == product_id for query, product_id in zip(queries, found, strict=True))
    assert right >= len(queries) - 1, f"{right} of {len(queries)} photos found their product first: {found}"
