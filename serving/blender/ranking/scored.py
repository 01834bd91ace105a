"""A candidate with its score, and what the order and the variety of many are made by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.found import Hit
from schemas.query.fields import Field, Values
from schemas.query.question import Sort
from serving.blender.ranking.fusion import Fit

Vectors = Mapping[bytes, NDArray[np.float32]]
"""By image id, of length 1."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A product by the image that fits best, how it fits, and its score."""

    hit: Hit
    fit: Fit
    score: float


def pairs(hits: Sequence[Hit] | None) -> list[tuple[str, float]] | None:
    """(product id, score) of each; None where there is no such list."""
    return None if hits is None else [(hit.product_id, hit.score) for hit in hits]


def sort_key(sort: Sort, values: Values) -> tuple[bool, float]:
    """Products without a value come last, whichever way is up."""
    value = values[sort.field.name]
    if not isinstance(value, float) or math.isnan(value):
        return True, 0.0
    return False, -value if sort.descending else value


def groups_of(values: Values, fields: Sequence[Field]) -> list[str | None]:
    """The first value of each field, None where there is none."""
    groups: list[str | None] = []
    for field in fields:
        value = values[field.name]
        groups.append(value[0] if isinstance(value, tuple) and value else None)
    return groups


def matrix_of(pool: Sequence[Scored], vectors: Vectors) -> NDArray[np.float32]:
    """A row for each, (n, d); zero where an image has no vector, which is like nothing."""
    dimension = next((len(vector) for vector in vectors.values()), 1)
    matrix = np.zeros((len(pool), dimension), dtype=np.float32)
    for row, each in enumerate(pool):
        vector = vectors.get(each.hit.image_id)
        if vector is not None:
            matrix[row] = vector
    return matrix
