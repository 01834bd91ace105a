"""How pictures differ: from one view of a thing to the next, and from one thing to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.features.blocks import Block, spans

PRIOR_PICTURES = 100
"""What is known beforehand counts as so many pictures of the shop's own."""
PRIOR_MEAN = 20
"""The same of a mean, which few pictures tell."""
_RIDGE = 0.3
"""Added to every direction within a thing, as a share of their mean: what views do not show varies as well."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scatter:
    """Of one block, learned from `pictures` things. mean (d,). within, between (d, d): covariances of views around
    their thing's mean, and of the things' means."""

    pictures: int
    mean: Matrix
    within: Matrix
    between: Matrix


def scatters(base: NDArray[np.float32], things: NDArray[np.int64], blocks: Sequence[Block]) -> list[Scatter]:
    """Of each block. base (n, sum of lengths); things (n,): rows of one number are views of one thing.

    Raises `ValueError` where there are not two things, one of them in two views.
    """
    _, number, sizes = np.unique(things, return_inverse=True, return_counts=True)
    if len(sizes) < 2 or len(base) == len(sizes):
        raise ValueError(f"{len(base)} views of {len(sizes)} things: two things and views of them are needed")
    order = np.argsort(number, kind="stable")
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    return [_scatter(base[order, span], sizes, starts) for span in spans(blocks)]


def _scatter(rows: NDArray[np.float32], sizes: NDArray[np.intp], starts: NDArray[np.intp]) -> Scatter:
    """Rows of one thing lie together."""
    means = np.add.reduceat(rows.astype(np.float64), starts, axis=0) / sizes[:, None]
    within = (rows - np.repeat(means, sizes, axis=0)).astype(np.float32)
    mean = means.mean(axis=0)
    between = means - mean
    return Scatter(
        len(sizes),
        mean,
        (within.T @ within).astype(np.float64) / (len(rows) - len(sizes)),
        between.T @ between / (len(sizes) - 1),
    )


def mixed(own: Scatter, known: Scatter | None) -> Scatter:
    """The shop's own, drawn towards what is known beforehand the more the fewer its pictures are."""
    if known is None:
        return own
    share = own.pictures / (own.pictures + PRIOR_PICTURES)
    return Scatter(
        own.pictures,
        shrunk(own.mean, own.pictures, known.mean),
        share * own.within + (1.0 - share) * known.within,
        share * own.between + (1.0 - share) * known.between,
    )


def shrunk(mean: Matrix, pictures: int, towards: Matrix) -> Matrix:
    """The mean of so many pictures, drawn towards another."""
    return (pictures * mean + PRIOR_MEAN * towards) / (pictures + PRIOR_MEAN)


def discriminants(scatter: Scatter, count: int) -> Matrix:
    """(d, count): the directions in which things differ most beside what their views differ by (Fisher; Rao 1948).

    Each has the same spread over the views of a thing.
    """
    size = len(scatter.mean)
    within = scatter.within + _RIDGE * np.trace(scatter.within) / size * np.eye(size)
    whiten = np.linalg.inv(np.linalg.cholesky(within)).T
    _, vectors = np.linalg.eigh(whiten.T @ scatter.between @ whiten)
    # Turned round after the product: NumPy has none that is fast for columns in reverse.
    found = (whiten @ vectors[:, -count:])[:, ::-1]
    return _signed(found)


def principals(scatter: Scatter, count: int) -> Matrix:
    """(d, count): the directions in which pictures vary most, of unit length: lengths and angles stay nearly as they
    are."""
    _, vectors = np.linalg.eigh(scatter.within + scatter.between)
    return _signed(vectors[:, -count:][:, ::-1])


def _signed(found: Matrix) -> Matrix:
    # An eigenvector has no sign of its own: one is chosen, so that every machine's is the same.
    return np.asarray(found * np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]))
