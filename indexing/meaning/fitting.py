"""The regression: kernel ridge on the mean picture of each text (a Nyström method, Williams and Seeger 2001)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.learned.half import half
from indexing.meaning.lessons import Lessons
from indexing.meaning.map import MeaningMap, kernel

SHARPNESS = 8.0
"""How fast a text's influence falls with its distance. Titles do not tell (from 2 to 12 each is as good by them);
other words for a thing are found the better the sharper, up to here (docs/adr/0036)."""
KNOWN_WEIGHT = 0.3
"""What a look that is known beforehand counts beside one text of a picture of the shop's own."""

_AT_ONCE = 4096
_JITTER = 1e-6


@dataclass(frozen=True, slots=True)
class Known:
    """Looks that are known before a shop is seen: texts (k, d) and the directions (k, D) that lead to them, float32,
    of unit length. See `vision.known_looks`."""

    texts: NDArray[np.float32]
    directions: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fit:
    """How maps are fitted; the same lessons give the same map."""

    known: Known | None
    most_support: int
    seed: int

    def fit(self, given: Lessons, ridges: tuple[float, ...]) -> list[MeaningMap]:
        """A map for each ridge, without ids.

        What is learned is how the mean picture of a text differs from that of
        all, and a text counts as the root of its pictures' number, so that
        "red" outweighs a title without drowning all of them. Where there are
        more texts than support, the most frequent ones and a sample of the
        others span the map. What is known is as far from the mean as the median text.
        """
        texts, targets, weights, chosen = self._lessons(given)
        support = half(texts[chosen])
        left = np.zeros((len(support), len(support)), np.float64)
        right = np.zeros((len(support), targets.shape[1]), np.float64)
        for begin in range(0, len(texts), _AT_ONCE):
            part = slice(begin, begin + _AT_ONCE)
            near = kernel(texts[part], support, SHARPNESS)
            weighed = near * weights[part, None]
            left += near.T @ weighed
            right += weighed.T @ targets[part]
        own = kernel(support, support, SHARPNESS).astype(np.float64)
        jitter = _JITTER * np.eye(len(support))
        return [
            MeaningMap("", "", SHARPNESS, support, half(np.linalg.solve(left + ridge * own + jitter, right)))
            for ridge in ridges
        ]

    def _lessons(
        self, given: Lessons
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.intp]]:
        """(texts, targets, weights, which of the texts are support)."""
        said, means, counts = given.means()
        texts, weights = given.texts[said], np.sqrt(counts)
        targets = means - given.pictures.mean(axis=0)
        weights /= weights.mean()
        chosen = self._support(counts)
        if self.known is not None and len(self.known.texts):
            far = np.median(np.linalg.norm(targets, axis=1)).astype(np.float32)
            chosen = np.concatenate([chosen, np.arange(len(texts), len(texts) + len(self.known.texts))])
            texts = np.concatenate([texts, self.known.texts])
            targets = np.concatenate([targets, far * self.known.directions])
            weights = np.concatenate([weights, np.full(len(self.known.texts), KNOWN_WEIGHT, np.float32)])
        return texts, targets, weights, chosen

    def _support(self, counts: NDArray[np.float32]) -> NDArray[np.intp]:
        if len(counts) <= self.most_support:
            return np.arange(len(counts))
        order = np.lexsort((np.random.default_rng(self.seed).permutation(len(counts)), -counts))
        return np.sort(order[: self.most_support])
