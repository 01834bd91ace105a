"""What a question is to look like: its photos, vectors and products, added up to the vector that is searched with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.look.tuning import Tuning
from schemas.errors import RejectedError
from schemas.features.ids import dimension_of, features_of
from serving.backend import INVALID_QUERY

SIMILAR_VECTORS = 8
"""A product's images that are asked with, at most."""
_NOTHING = 1e-9

Vector = NDArray[np.float32]


class Embeds(Protocol):
    """What makes a photo a vector of length 1, and base features one of the tuning's."""

    async def vector(self, data: bytes, extractor_id: str, generation: str = "") -> Vector: ...

    def tuning(self, extractor_id: str) -> Tuning | None: ...


class Likeness:
    """Collects examples with their weights, all of one extractor; those below 0 are to be unlike."""

    def __init__(
        self,
        extractor_id: str,
        generation: str,
        encoders: Embeds,
        vectors_of: Callable[[str, str], Awaitable[list[Vector]]],
    ) -> None:
        """vectors_of: of a product's images, by (product id, generation)."""
        self._extractor_id = extractor_id
        self._generation = generation
        self._encoders = encoders
        self._vectors_of = vectors_of
        self._weighted: list[tuple[Vector, float]] = []
        self._products: list[tuple[list[Vector], float]] = []

    async def add_photos(self, photos: Sequence[tuple[bytes, float]]) -> None:
        """Raises `RejectedError` for what is no picture."""
        vectors = await asyncio.gather(
            *(self._encoders.vector(data, self._extractor_id, self._generation) for data, _ in photos)
        )
        self._weighted += zip(vectors, (weight for _, weight in photos), strict=True)

    def add_vectors(self, vectors: Sequence[tuple[Vector, float]]) -> None:
        """Raises `RejectedError` for another dimension, for numbers that are not finite, and for zeros alone."""
        made = self._encoders.tuning
        self._weighted += [(as_searched(vector, self._extractor_id, made), weight) for vector, weight in vectors]

    async def add_products(self, products: Sequence[tuple[str, float]]) -> None:
        """Raises `RejectedError('not_found', ...)` for one that is not searchable."""
        found = await asyncio.gather(*(self._vectors_of(product, self._generation) for product, _ in products))
        self._products += zip(found, (weight for _, weight in products), strict=True)

    @property
    def images(self) -> int:
        """Of all products together."""
        return sum(len(vectors) for vectors, _ in self._products)

    def vectors(self) -> list[Vector]:
        """What to search with: one vector; of a product alone those of its images; [] where there are no examples."""
        if not self._weighted and len(self._products) == 1 and self._products[0][1] > 0:
            return self._products[0][0][:SIMILAR_VECTORS]
        weighted = list(self._weighted)
        for vectors, weight in self._products:
            weighted.append((self._sum([(vector, 1.0) for vector in vectors]), weight))
        return [self._sum(weighted)] if weighted else []

    def _sum(self, weighted: Sequence[tuple[Vector, float]]) -> Vector:
        if any(vector.shape != (dimension_of(self._extractor_id),) for vector, _ in weighted):
            raise RejectedError(INVALID_QUERY, f"an example is not of {self._extractor_id}; ask with it in a moment")
        total = np.sum([weight * vector.astype(np.float64) for vector, weight in weighted], axis=0)
        if np.abs(total).max() < _NOTHING:
            raise RejectedError(INVALID_QUERY, "the examples cancel each other out; change their weights")
        return normalised(total.astype("<f4"), self._extractor_id)


def weighed(vectors: Sequence[Vector], look: Mapping[str, float], tuning: Tuning | None) -> list[Vector]:
    """The vectors by what parts of the look are to count. Raises `RejectedError` where it has no such parts."""
    if not vectors:
        raise RejectedError(INVALID_QUERY, "look: weighs what a photo, vector or product looks like; send one with it")
    if tuning is None:
        detail = (
            "this index's look has no parts; leave `look` out, or build with an encoder of base features (..._blocks)"
        )
        raise RejectedError(INVALID_QUERY, detail)
    try:
        return list(tuning.weighed(np.stack(vectors), look))
    except ValueError as error:
        raise RejectedError(INVALID_QUERY, f"look: {error}") from error


def vector_of(numbers: Sequence[float]) -> Vector:
    """As float32. A number beyond that becomes infinite, which `normalised` refuses."""
    with np.errstate(over="ignore"):
        return np.array(numbers, dtype=np.float64).astype("<f4")


def as_searched(vector: Vector, extractor_id: str, tuning_of: Callable[[str], Tuning | None]) -> Vector:
    """A vector that a client sends, at length 1: as it is, or made of base features, whose length is another.

    Raises `RejectedError` as `normalised` does, `TransientError` as `Encoders.tuning`.
    """
    features = features_of(extractor_id)
    if features != extractor_id and vector.shape == (dimension_of(features),):
        tuning = tuning_of(extractor_id)
        assert tuning is not None, "an id of its own says that there is one"
        made: Vector = tuning.queries(normalised(vector, features)[None, :])[0]
        return made
    return normalised(vector, extractor_id)


def normalised(vector: Vector, extractor_id: str) -> Vector:
    """The vector at length 1. Raises `RejectedError` for another dimension, numbers not finite, and zeros alone."""
    dimension = dimension_of(extractor_id)
    if vector.shape != (dimension,):
        raise RejectedError(
            INVALID_QUERY,
            f"the vector has {vector.size} numbers, this index has {dimension} ({extractor_id}); "
            "embed with the index's extractor",
        )
    if not np.isfinite(vector).all():
        raise RejectedError(INVALID_QUERY, "the vector has numbers that are not finite float32; leave it out")
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if length == 0.0:
        raise RejectedError(INVALID_QUERY, "the vector is all zeros and has no direction; embed the photo again")
    # In float64: the length of a float32 vector may be beyond float32, and its reciprocal as well.
    return (vector.astype(np.float64) / length).astype("<f4")
