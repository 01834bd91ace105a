"""Which vectors have gone out already: a shop that lists again what is listed need not have them sent again."""

from __future__ import annotations

from typing import Final

import numpy as np

SLOTS: Final = 1 << 20
"""12 MB, of which the system gives what is used."""


class Carried:
    """Remembers images whose vector went out with a delta, until they are taken down or another takes their place.

    A table of bounded size with one slot for each image, found by its hash: it may forget, and then a vector goes out
    once more than it must. What it remembers is so, but for two images with one hash of 64 bits, of which the nightly
    replay heals the one. It lies in memory alone: a task that starts anew, which may have lost what it sent, has
    an empty one. One thread.

    What is saved of an image with its own sequence (`ImageEntry.image_seq`) is of that version of the picture.
    """

    def __init__(self, slots: int = SLOTS) -> None:
        """slots: a power of two."""
        self._mask = slots - 1
        self._marks = np.zeros(slots, np.int64).data
        self._saved_ms = np.zeros(slots, np.int32).data

    def note(self, product_id: str, url: str, image_seq: int, saved_ms: float) -> None:
        """The image's vector is in what goes out now; making it anew would have cost that many (whole) milliseconds."""
        mark = hash((product_id, url, image_seq)) or 1
        slot = mark & self._mask
        self._marks[slot], self._saved_ms[slot] = mark, round(saved_ms)

    def saved_ms(self, product_id: str, url: str, image_seq: int) -> int | None:
        """What was noted with the image; None where its vector may not have gone out."""
        mark = hash((product_id, url, image_seq)) or 1
        slot = mark & self._mask
        return self._saved_ms[slot] if self._marks[slot] == mark else None

    def forget(self, product_id: str, url: str, image_seq: int) -> None:
        """The image is taken down: a full index that is built meanwhile has no vector of it."""
        mark = hash((product_id, url, image_seq)) or 1
        if self._marks[slot := mark & self._mask] == mark:
            self._marks[slot] = 0
