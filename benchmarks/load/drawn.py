"""Features drawn for an extractor, as store and stream carry them, whose searched vectors have `Catalogue`'s clusters.

Base features are drawn backwards: first what is to be searched, then of each block the nearest to the look's mean
picture of which the look makes just that. So they are valid, blocks of one length in 8 bits a number, and a shard
scores what benchmarks scored before base features were the default, but for the blocks' weights and the rounding. They
are not like real ones, whose numbers vary as much as they tell and beside that in ways a look leaves out: `real.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.index.shard import CLUSTERS, Catalogue
from indexing.look.first import first_look
from indexing.look.looks import Look, Tuned
from indexing.look.tuning import TunedBlock
from schemas.features.blocks import Block, spans
from schemas.features.stored import feature_bytes
from schemas.settings import Settings
from vision.extractor import extractor_id

_AT_ONCE = 2048

Features = NDArray[np.uint8]
"""(n, bytes of a feature)."""
Rows = NDArray[np.float32]


class DrawnFeatures(Catalogue):
    """Pictures of the extractor that `look` is of, and their deltas."""

    def __init__(self, look: Look, seed: int = 1, *, clusters: int = CLUSTERS) -> None:
        super().__init__(look.dimension, seed, look.features_id, clusters=clusters)
        self.look = look
        self._parts = look.tuning.parts if isinstance(look, Tuned) else ()
        self._back = [np.linalg.pinv(part.directions.astype(np.float64)) for part in self._parts]

    def features(self, count: int) -> Features:
        """Of `count` further pictures."""
        made = np.empty((count, self.look.length), np.uint8)
        for first in range(0, count, _AT_ONCE):
            rows = made[first : first + _AT_ONCE]
            coded = feature_bytes(self.base(self.vectors(len(rows))), self.look.features_id)
            rows[:] = np.frombuffer(b"".join(coded), np.uint8).reshape(rows.shape)
        return made

    def base(self, vectors: Rows) -> Rows:
        """Of which the look makes `vectors`, each block of them at the length that the look gives it; not yet as bytes.

        They are the vectors themselves where nothing is tuned.
        """
        if not self._parts:
            return vectors
        columns = spans([Block(part.block.name, part.directions.shape[1]) for part in self._parts])
        length = 1 / np.sqrt(len(self._parts))
        blocks = zip(columns, self._parts, self._back, strict=True)
        return np.hstack([_block(vectors[:, column], part, back, length) for column, part, back in blocks])

    def searched(self, features: Features) -> Rows:
        """What a shard scores of them, (n, dimension): recall is told by an exact search of these."""
        made = np.empty((len(features), self.dimension), np.float32)
        for first in range(0, len(features), _AT_ONCE):
            rows = features[first : first + _AT_ONCE]
            made[first : first + _AT_ONCE] = self.look.vectors([row.tobytes() for row in rows])
        return made

    def queries(self, count: int) -> Rows:
        """What further pictures would be searched by, (count, dimension)."""
        return self.searched(self.features(count))


def drawn_features(settings: Settings) -> DrawnFeatures:
    """Of the encoder of a home that has no full index yet."""
    return DrawnFeatures(first_look(extractor_id(settings.encoder, settings.weights), settings.layout.looks))


def _block(wanted: Rows, part: TunedBlock, back: NDArray[np.float64], length: float) -> Rows:
    """(n, part.block.length) of that length: the part's mean, and as much as fits of the shortest way to `wanted`."""
    mean = part.items.astype(np.float64)
    way = wanted @ back
    along, way_squared = way @ mean, np.einsum("ij,ij->i", way, way)
    room = length**2 - mean @ mean
    steps = (np.sqrt(along**2 + way_squared * room) - along) / way_squared
    block: Rows = (mean + steps[:, None] * way).astype(np.float32)
    return block
