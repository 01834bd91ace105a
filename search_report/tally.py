"""Counting what is too much to keep: figures whose memory is bounded, and that add up in any order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b

MOST_KEPT = 200_000
"""Different texts of a tally; up to them it is exact."""
_WIDTH = math.log(1.02)


class Tally:
    """How often each text came.

    Of more than `most` different ones those are kept whose hash begins with
    enough zero bits, and every count of theirs: a uniform sample of the texts
    (Gibbons, "Distinct sampling", VLDB 2001). Which ones depends on the set of
    texts alone, not on their order nor on what was added to what.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._level = 0
        self.counts: Counter[str] = Counter()

    @property
    def exact(self) -> bool:
        return self._level == 0

    def add(self, text: str, times: int = 1) -> None:
        if self._level and _zeros(text) < self._level:
            return
        self.counts[text] += times
        self._thin()

    def merge(self, other: Tally) -> None:
        """Adds the other one, of an equal `most`."""
        if other._level > self._level:
            self._level = other._level
            self._drop()
        for text, times in other.counts.items():
            if not self._level or _zeros(text) >= self._level:
                self.counts[text] += times
        self._thin()

    def _thin(self) -> None:
        while len(self.counts) > self._most:
            self._level += 1
            self._drop()

    def _drop(self) -> None:
        self.counts = Counter({text: n for text, n in self.counts.items() if _zeros(text) >= self._level})

    def top(self, most: int) -> list[tuple[str, int]]:
        """The most frequent ones that are kept; equal ones in the order of the alphabet."""
        return sorted(self.counts.items(), key=lambda each: (-each[1], each[0]))[:most]

    def distinct(self) -> int:
        """How many different ones came."""
        return len(self.counts) << self._level

    def effective(self) -> float:
        """As many equally frequent ones would be as varied: e to the power of Shannon's entropy (Hill number)."""
        total = sum(self.counts.values())
        if not total:
            return 0.0
        # fsum, and sorted: the same to the last bit in whichever order they were counted.
        entropy = math.fsum(-n / total * math.log(n / total) for n in sorted(self.counts.values()))
        return math.exp(entropy) * (1 << self._level)


def _zeros(text: str) -> int:
    """Leading zero bits of the text's hash, up to 64."""
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return 64 - int.from_bytes(digest, "big").bit_length()


class Times:
    """Durations by buckets 2 % wide, so that a quantile is off by 1 % at most (DDSketch, Masson et al., VLDB 2019)."""

    def __init__(self) -> None:
        self.buckets: Counter[int] = Counter()

    def add(self, ms: float) -> None:
        self.buckets[math.ceil(math.log(max(ms, 0.001)) / _WIDTH)] += 1

    def merge(self, other: Times) -> None:
        self.buckets.update(other.buckets)

    def quantile(self, part: float) -> float | None:
        """In milliseconds; None of none."""
        total = self.buckets.total()
        wanted = part * (total - 1)
        before = 0
        for bucket in sorted(self.buckets):
            before += self.buckets[bucket]
            if before > wanted:
                return math.exp((bucket - 0.5) * _WIDTH)
        return None


def mean(histogram: Mapping[int, int]) -> float | None:
    """Of numbers by how often each came."""
    total = sum(histogram.values())
    return sum(number * times for number, times in histogram.items()) / total if total else None


def mean_reciprocal(histogram: Mapping[int, int]) -> float | None:
    """Of 1 / number, summed in one order."""
    total = sum(histogram.values())
    return math.fsum(times / number for number, times in sorted(histogram.items())) / total if total else None
