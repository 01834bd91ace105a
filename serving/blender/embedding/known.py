"""Vectors of photos that were embedded a moment ago: the next page of a question sends its photo again."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from schemas.ids import content_hash

Vector = NDArray[np.float32]


class KnownPhotos:
    """The last `most` vectors by the photo's bytes and the extractor; 0: none. Lives on one event loop.

    A vector is a function of both, so nothing here grows old; photos themselves are not kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._vectors: OrderedDict[tuple[bytes, str], Vector] = OrderedDict()

    def __len__(self) -> int:
        return len(self._vectors)

    def key(self, data: bytes, extractor_id: str) -> tuple[bytes, str] | None:
        """What the photo is known by; None where none are kept."""
        return (content_hash(data), extractor_id) if self._most else None

    def get(self, key: tuple[bytes, str] | None) -> Vector | None:
        """Its vector, if it is known."""
        vector = None if key is None else self._vectors.get(key)
        if vector is not None and key is not None:
            self._vectors.move_to_end(key)
        return vector

    def put(self, key: tuple[bytes, str] | None, vector: Vector) -> None:
        """The longest unused one goes where there are too many."""
        if key is None:
            return
        self._vectors[key] = vector
        if len(self._vectors) > self._most:
            self._vectors.popitem(last=False)
