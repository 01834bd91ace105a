"""Learning a category head, and how often it is right about products that it has not seen. Seeded, one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.category.head import CategoryHead, clues, softmax
from indexing.learned.half import half
from schemas.features.blocks import Block

FOLDS = 5
LEAST_ACCURACY = 0.6
"""A head that is right less often is left out."""
LEAST_PRODUCTS = 10
"""A category of fewer is not told apart from others."""
MOST_PICTURES = 10_000
MOST_CATEGORIES = 100
"""The largest."""
PENALTY = 30.0
"""On the squares of what a standardised clue counts."""
_STEPS = 60
_BINS = 10


@dataclass(frozen=True, slots=True)
class Learned:
    """A head, and what it is worth. `used`: it is right often enough; if not, `why` says so.

    `held`: accuracy, and by how much what it promises differs from how often
    it is right (expected calibration error), of products held back. `by_chance`: of who always says the largest.
    """

    head: CategoryHead
    used: bool
    why: str
    held: dict[str, float]
    by_chance: dict[str, float]
    settings: dict[str, float]


def train_head(
    base: NDArray[np.float32],
    categories: Sequence[str],
    products: NDArray[np.int64],
    extractor_id: str,
    blocks: Sequence[Block],
    seed: int,
) -> Learned:
    """base (n, numbers); categories (n,), "" for none; products (n,): pictures of one are in one fold.

    Raises `ValueError` where there are not two categories of `LEAST_PRODUCTS` products, `OperatorError` without SciPy.
    """
    random = np.random.default_rng(seed)
    chosen, names, labels = _sample(np.asarray(categories), products, random)
    given, groups = clues(base[chosen], blocks), products[chosen]
    folds = _folds(groups, random)
    told = np.zeros((len(given), len(names)), np.float32)
    for fold in range(FOLDS):
        own = folds == fold
        if own.any() and not own.all():
            matrix, bias = _fitted(given[~own], labels[~own], len(names))
            told[own] = softmax(given[own] @ matrix + bias)
    right = told.argmax(axis=1) == labels
    accuracy = float(right.mean())
    matrix, bias = _fitted(given, labels, len(names))
    head = CategoryHead(extractor_id, tuple(blocks), names, accuracy, half(matrix), half(bias))
    return Learned(
        head,
        accuracy >= LEAST_ACCURACY,
        ""
        if accuracy >= LEAST_ACCURACY
        else f"right about {accuracy:.3f} of products held back; {LEAST_ACCURACY} is needed",
        {"accuracy": accuracy, "calibration_error": calibration_error(told.max(axis=1), right)},
        {"accuracy": float(np.bincount(labels).max() / len(labels))},
        {"pictures": len(given), "categories": len(names), "penalty": PENALTY, "seed": seed},
    )


def calibration_error(promised: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Mean over pictures of how far the promise of their tenth is from how often it is kept (Guo et al. 2017)."""
    bins = np.minimum((promised * _BINS).astype(np.intp), _BINS - 1)
    gaps = np.bincount(bins, promised.astype(np.float64), _BINS) - np.bincount(bins, right.astype(np.float64), _BINS)
    return float(np.abs(gaps).sum() / len(promised))


def _sample(
    categories: NDArray[np.str_], products: NDArray[np.int64], random: np.random.Generator
) -> tuple[NDArray[np.intp], tuple[str, ...], NDArray[np.intp]]:
    """(pictures in their order, the names of categories, each picture's)."""
    sizes = {str(name): len(np.unique(products[categories == name])) for name in np.unique(categories) if name}
    largest = sorted((name for name in sizes if sizes[name] >= LEAST_PRODUCTS), key=lambda name: (-sizes[name], name))
    names = sorted(largest[:MOST_CATEGORIES])
    if len(names) < 2:
        raise ValueError(f"{len(names)} categories have {LEAST_PRODUCTS} products with pictures; two are needed")
    chosen = np.flatnonzero(np.isin(categories, names))
    chosen = np.sort(random.permutation(chosen)[:MOST_PICTURES])
    return chosen, tuple(names), np.searchsorted(names, categories[chosen])


def _folds(products: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.intp]:
    known, number = np.unique(products, return_inverse=True)
    return (random.permutation(len(known)) % FOLDS)[number]


def _fitted(
    given: NDArray[np.float32], labels: NDArray[np.intp], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(matrix, bias) for clues as they are, fitted on standardised ones by L-BFGS (Liu and Nocedal 1989)."""
    from scipy.optimize import minimize  # a second to load, of builds that come this far

    mean, deviation = given.mean(axis=0), given.std(axis=0) + np.float32(1e-4)
    rows = np.hstack([(given - mean) / deviation, np.ones((len(given), 1), np.float32)])
    wanted = np.zeros((len(given), count), np.float32)
    wanted[np.arange(len(given)), labels] = 1.0
    penalty = np.full((rows.shape[1], 1), PENALTY)
    penalty[-1] = 0.0  # how frequent a category is costs nothing

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(rows.shape[1], count)
        told = softmax(rows @ weights.astype(np.float32))
        missed = -float(np.log(np.maximum(told[np.arange(len(rows)), labels], 1e-30)).sum(dtype=np.float64))
        slope = rows.T @ (told - wanted) + penalty * weights
        return missed + 0.5 * float((penalty * weights**2).sum()), slope.ravel()

    start = np.zeros(rows.shape[1] * count)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x.reshape(-1, count)
    matrix = (found[:-1] / deviation[:, None]).astype(np.float32)
    return matrix, (found[-1] - mean @ matrix).astype(np.float32)
