"""From which likeness on two vectors are of one picture: a copy that was scaled, cut or stored anew (docs/adr/0048).

Measured with the networks on EfficientNet-lite0, on real catalogues (`make bench-doubles`): fewer than one picture in a
thousand is as like to one of another thing that the shop gives the same colour, or none.
"""

from __future__ import annotations

from schemas.features.blocks import blocks_of
from schemas.features.ids import encoder_of, features_of
from vision.extractor import is_composite

COMPOSITE = 0.965
BLOCKS = 0.975
TUNED = 0.94
"""Of vectors made of base features by what is known of how views of one thing differ: they are the best at this.
Measured with the look before the first full index, in which two pictures of one kind have most in common."""
UNMEASURED = 0.99
"""Of any other encoder: pictures stored anew, and little else."""


def least_likeness(extractor_id: str) -> float:
    """The least inner product of two vectors under this id whose pictures are taken for one."""
    if blocks_of(extractor_id):
        return BLOCKS if features_of(extractor_id) == extractor_id else TUNED
    return COMPOSITE if is_composite(encoder_of(extractor_id)) else UNMEASURED
