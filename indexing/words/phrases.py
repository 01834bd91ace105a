"""Phrases: words that stand side by side in one field."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 1 << 12
"""Documents looked through at once: of the longest that is 100 MiB."""


def phrase_stands(
    words: Sequence[int], docs: NDArray[np.int32], starts: NDArray[np.int64], stream: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """In which of the documents the words, by id, stand side by side, shape of `docs`.

    starts, stream: see `Documents.words_in_order`. A gap ends every field, so no
    phrase reaches over it.
    """
    stands = np.zeros(len(docs), np.bool_)
    for first in range(0, len(docs), _AT_ONCE):
        part = docs[first : first + _AT_ONCE]
        begins = starts.take(part)
        sizes = starts.take(part + 1) - begins
        owners = np.repeat(np.arange(first, first + len(part)), sizes)
        places = np.repeat(begins - (np.cumsum(sizes) - sizes), sizes) + np.arange(len(owners))
        for step, word in enumerate(words):
            # Past the end of the stream there is nothing behind the last gap, which has ended the phrase already.
            here = np.flatnonzero(stream.take(places + step, mode="clip") == word)
            owners, places = owners.take(here), places.take(here)
        stands[owners] = True
    return stands
