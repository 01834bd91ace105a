"""A shopper's photo of a sample product finds that product with the default encoder."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.robust.alterations import ALTERATIONS, altered
from indexing.look.first import first_look
from indexing.look.looks import Tuned
from indexing.look.tuning import Tuning
from sample import make_sample
from schemas.settings import Settings
from tests.support.pictures.embedding import embed_files
from vision.embedder import Embedder, create_embedder
from vision.pictures.decode import ImageLimits

pytestmark = pytest.mark.integration

PRODUCTS = 113

Rows = NDArray[np.float32]


class Sample(NamedTuple):
    """`products`: of each row of `vectors`, the product's id; `questions`: photos and the products that they show."""

    embedder: Embedder
    tuning: Tuning
    demo: str
    products: list[str]
    vectors: Rows
    questions: list[tuple[bytes, str]]

    def found(self, photos: list[bytes]) -> list[str]:
        """The product that each photo finds first, put right as a blender does."""
        pixels = [self.embedder.prepare_photo(photo, ImageLimits()) for photo in photos]
        asked = self.tuning.queries(self.embedder.embed(pixels))
        return [self.products[int(best)] for best in (asked @ self.vectors.T).argmax(axis=1)]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    drawn = make_sample(tmp_path_factory.mktemp("sample"), products=PRODUCTS, images=PRODUCTS)
    rows = [json.loads(line) for line in drawn.products_file.read_text().splitlines()]
    queries = [json.loads(line) for line in drawn.queries_file.read_text().splitlines()]
    embedder = create_embedder(Settings().encoder)
    look = first_look(embedder.extractor_id, tmp_path_factory.mktemp("looks"))
    assert isinstance(look, Tuned), "before the first full index the shipped prior serves"
    pictures = [(drawn.folder / row["images"][0]).read_bytes() for row in rows]
    return Sample(
        embedder,
        look.tuning,
        drawn.demo_product_id,
        [row["product_id"] for row in rows],
        look.tuning.items(embed_files(embedder, pictures, ImageLimits())),
        [((drawn.folder / query["image"]).read_bytes(), query["product_id"]) for query in queries],
    )


def test_photos_find_their_products_first(sample: Sample) -> None:
    found = sample.found([photo for photo, _ in sample.questions])
    assert found[0] == sample.demo
    right = sum(wanted == product for (_, wanted), product in zip(sample.questions, found, strict=True))
    assert right >= len(sample.questions) - 1, f"{right} photos found their product first: {found}"


@pytest.mark.parametrize("how", ["dark", "warm light", "screenshot"])
def test_photos_find_their_products_when_they_are_bad_ones(sample: Sample, how: str) -> None:
    found = sample.found([altered(photo, ALTERATIONS[how]) for photo, _ in sample.questions])
    right = [wanted == product for (_, wanted), product in zip(sample.questions, found, strict=True)]
    assert np.mean(right) >= 0.8, f"{how}: {right}"
