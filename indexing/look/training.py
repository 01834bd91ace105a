"""Learning a tuning: linear discriminants of each block over views of a shop's own pictures, drawn towards a prior.

No label is needed. Seconds of one core, whatever the catalogue's size: it is given a sample. The same views give the
same tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.learned.half import half
from indexing.look.prior import Prior
from indexing.look.scatter import Scatter, discriminants, mixed, principals, scatters, shrunk
from indexing.look.tuning import TunedBlock, Tuning
from schemas.features.blocks import COLOUR, HEAD, SHAPE, TEXTURE, Block, spans


@dataclass(frozen=True, slots=True)
class Kept:
    """Of a block: so many numbers, worth `weight` together."""

    numbers: int
    weight: float


KEPT = {
    HEAD: Kept(320, 1.0),
    SHAPE: Kept(160, 0.7),
    TEXTURE: Kept(128, 1.0),
    COLOUR: Kept(96, 0.6),
}
PLAIN_KIND = Kept(320, 3.5)
"""Of the block `kind` while nothing was learned: as it is, and with more weight (docs/adr/0050)."""
FIRST = "plain kind 320 3.5"
"""Of what `prior_alone` makes of a prior: to be changed with it, so that vectors of two ways are never compared."""


def train_tuning(
    base: NDArray[np.float32],
    things: NDArray[np.int64],
    extractor_id: str,
    blocks: Sequence[Block],
    prior: Prior | None = None,
) -> Tuning:
    """From views of catalogue pictures. base (n, numbers); things (n,): rows of one number show one thing.

    Queries are taken to be as the catalogue's pictures are, until `with_query_log`. Raises `ValueError` for too few
    views, and for a prior of another extractor.
    """
    check_prior(prior, extractor_id)
    own = scatters(base, things, blocks)
    known: Sequence[Scatter | None] = prior.scatters if prior is not None else [None] * len(blocks)
    found = [mixed(*each) for each in zip(own, known, strict=True)]
    return Tuning(extractor_id, tuple(map(_tuned, blocks, found)))


def prior_alone(prior: Prior) -> Tuning:
    """What a shop has before its first full index, when no category can be told: `kind` as it is instead."""
    parts = [
        _plain(block, scatter) if block.name == HEAD else _tuned(block, scatter)
        for block, scatter in zip(prior.blocks, prior.scatters, strict=True)
    ]
    return Tuning(prior.extractor_id, tuple(parts))


def with_query_log(tuning: Tuning, base: NDArray[np.float32]) -> Tuning:
    """The same with the mean of the photos that were asked with (n, numbers), drawn towards the catalogue's while
    there are few. From a block that is kept as it is none is taken off."""
    if not len(base):
        return tuning
    blocks = [part.block for part in tuning.parts]
    means = [
        shrunk(base[:, span].mean(axis=0, dtype=np.float64), len(base), part.items.astype(np.float64))
        if part.items.any()
        else part.items
        for part, span in zip(tuning.parts, spans(blocks), strict=True)
    ]
    return tuning.with_queries([mean.astype(np.float32) for mean in means])


def check_prior(prior: Prior | None, extractor_id: str) -> None:
    """Raises `ValueError` where it is of another extractor."""
    if prior is not None and prior.extractor_id != extractor_id:
        raise ValueError(f"the prior is of {prior.extractor_id}, the views are of {extractor_id}: leave the prior out")


def _tuned(block: Block, scatter: Scatter) -> TunedBlock:
    kept = KEPT[block.name]
    directions = discriminants(scatter, kept.numbers)
    mean = half(scatter.mean)
    return TunedBlock(block, kept.weight, half(directions / np.abs(directions).max()), mean, mean)


def _plain(block: Block, scatter: Scatter) -> TunedBlock:
    """The block as it is, in fewer numbers; no mean is taken off."""
    none = np.zeros(block.length, np.float32)
    return TunedBlock(block, PLAIN_KIND.weight, half(principals(scatter, PLAIN_KIND.numbers)), none, none)
