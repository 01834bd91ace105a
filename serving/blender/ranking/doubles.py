"""Doubles: products of an answer that show one picture, of which the one that stands first names the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.found import Hit

MOST_NAMED = 20
"""Products under one, at most. Those beyond it lead themselves: a picture that says "no picture yet" hides nobody."""
MOST_COMPARED = 400
"""Candidates whose pictures are compared with those shown, from the first on; what comes after them is not merged."""


@dataclass(frozen=True, slots=True)
class Named:
    """A product that is named under another, and how alike their pictures are: an inner product."""

    hit: Hit
    likeness: float


class Doubles:
    """Of products in an order, given by their places: which lead, and which are named under which.

    Each is taken once, in any order: it is named under the first that led and is near enough, or it may lead.
    """

    def __init__(self, vectors: NDArray[np.float32], least: float, apart: Callable[[int, int], bool]) -> None:
        """`vectors` (n, d): of length 1 by place, zero where there is none. `least`: likeness of two that are one.

        `apart`: whether the products at two places are different for another reason; asked about few.
        """
        self._vectors = vectors
        self._least = least
        self._apart = apart
        self._leader = np.full(len(vectors), -1)
        self._likeness = np.zeros(len(vectors), dtype=np.float32)
        self.named: dict[int, list[tuple[int, float]]] = {}
        """By who leads: places and likenesses of those named under it."""

    def lead(self, place: int) -> None:
        """It is shown, and those near it that nobody else names are its own."""
        self.named[place] = []
        if place >= len(self._vectors):
            return
        # Not by BLAS, see `diversity.by_marginal_relevance`.
        likeness = np.einsum("ij,j->i", self._vectors, self._vectors[place])
        for other in np.flatnonzero((likeness >= self._least) & (self._leader < 0)).tolist():
            if not self._apart(place, other):
                self._leader[other] = place
                self._likeness[other] = likeness[other]

    def take(self, place: int) -> bool:
        """Names it under the one that it is a double of. False: it is none's, and may lead."""
        leader = int(self._leader[place]) if place < len(self._vectors) else -1
        if leader < 0:
            return False
        named = self.named[leader]
        named.append((place, float(self._likeness[place])))
        if len(named) == MOST_NAMED:
            self._leader[self._leader == leader] = -1
        return True

    def take_rest(self) -> None:
        """Names what nobody asked about: doubles that stand behind the last one shown."""
        done = {*self.named, *(place for named in self.named.values() for place, _ in named)}
        for place in np.flatnonzero(self._leader >= 0).tolist():
            if place not in done:
                self.take(place)
