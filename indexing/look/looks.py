"""A look: from features, as store and stream have them, to the vectors that a shard searches.

Of most extractors the two are the same. Base features (`schemas.features.blocks`) become what a tuning makes of them,
another with every full index, under an id of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.look.tuning import Tuning
from schemas.features.ids import dimension_of, features_of
from schemas.features.stored import feature_length, feature_rows


class Look(Protocol):
    """Any thread.

    `extractor_id`, `dimension`: of the vectors that are searched; `features_id`: of the features that they are made
    of. `length`: bytes of a feature.
    """

    extractor_id: str
    features_id: str
    dimension: int
    length: int

    @property
    def changes(self) -> bool:
        """Whether a vector's bytes are others than its feature's."""

    def vectors(self, features: Sequence[bytes]) -> NDArray[np.float32]:
        """(n, dimension) of features of `length` bytes; not finite where a feature is not."""


class Untuned:
    """Features are searched as they are."""

    def __init__(self, extractor_id: str, dimension: int) -> None:
        self.extractor_id = self.features_id = extractor_id
        self.dimension = dimension
        self.length = feature_length(extractor_id, dimension)
        self.changes = self.length != 4 * dimension

    def vectors(self, features: Sequence[bytes]) -> NDArray[np.float32]:
        return feature_rows(features, self.extractor_id)


class Tuned:
    """Base features are searched as `tuning` makes them, under `extractor_id`.

    Raises `ValueError` for an id that is not one of the tuning's features and numbers.
    """

    changes = True

    def __init__(self, tuning: Tuning, extractor_id: str) -> None:
        if (features_of(extractor_id), dimension_of(extractor_id)) != (tuning.extractor_id, tuning.dimension):
            raise ValueError(f"a tuning of {tuning.extractor_id} ({tuning.dimension}) makes no {extractor_id}")
        self.tuning = tuning
        self.features_id = tuning.extractor_id
        self.dimension = tuning.dimension
        self.extractor_id = extractor_id
        self.length = feature_length(tuning.extractor_id, 0)

    def vectors(self, features: Sequence[bytes]) -> NDArray[np.float32]:
        return self.tuning.items(feature_rows(features, self.features_id))


def untuned(extractor_id: str) -> Untuned:
    """Of an extractor whose features are searched as they are. Raises `ValueError` for an id that names a tuning."""
    if features_of(extractor_id) != extractor_id:
        raise ValueError(f"{extractor_id} is of a tuning, which is needed to make its vectors")
    return Untuned(extractor_id, dimension_of(extractor_id))
