"""Small batches for the tests of the index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.deltas.delta import DeltaBatch
from schemas.ids import image_id

EXTRACTOR = "test/1"
URL = "http://shop/1.jpg"


def random_vectors(count: int, dimension: int, seed: int = 0) -> NDArray[np.float32]:
    """(count, dimension) of length 1."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def listed(vectors: NDArray[np.float32], sequence: int = 1, first: int = 0) -> DeltaBatch:
    """Products p<first>, p<first + 1>, ... on sale, each with one image and its vector."""
    batch = DeltaBatch(EXTRACTOR)
    for number, vector in enumerate(vectors, first):
        add_image(batch, f"p{number}", sequence, vector=vector)
    return batch


def add_image(
    batch: DeltaBatch, product: str, sequence: int, *, valid: bool = True, vector: NDArray[np.float32] | None = None
) -> None:
    """One row: the image's state and, when there is one, its vector, both of this sequence."""
    batch.add(
        image_id(product, URL),
        product,
        state_seq=sequence,
        valid=valid,
        image_seq=sequence if vector is not None else 0,
        url=URL,
        category="shoes",
        brand="acme",
        price=10.0,
        sales=5,
        praise=0.5,
        attributes=b'{"title":"%s"}' % product.encode(),
        vector_seq=sequence if vector is not None else 0,
        vector=None if vector is None else vector.tobytes(),
    )
