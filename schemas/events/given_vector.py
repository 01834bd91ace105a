"""A vector that comes with an image instead of its pixels: what may be one, its version, its form of length 1."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from schemas.errors import RejectedError

MIN_NUMBERS = 2
MAX_NUMBERS = 4096


def check_given(vector: Sequence[float]) -> None:
    """That it has a direction; JSON's numbers are finite. Raises `RejectedError('invalid_event', ...)`."""
    if not MIN_NUMBERS <= len(vector) <= MAX_NUMBERS:
        raise RejectedError(
            "invalid_event", f"an image's vector has {len(vector)} numbers; {MIN_NUMBERS} to {MAX_NUMBERS} can be used"
        )
    if not any(vector):
        raise RejectedError("invalid_event", "an image's vector is all zeros and has no direction; leave the image out")


def version_of(vector: Sequence[float], version: str | None = None) -> str:
    """The version of an image with this vector: another vector is another content, and makes it another version.

    `version`: the producer's own, of the picture that is shown.
    """
    digest = blake2b(array("d", vector).tobytes(), digest_size=16).hexdigest()
    return digest if version is None else f"{version}/{digest}"


def unit(vector: Sequence[float]) -> bytes:
    """The vector at length 1, little-endian float32: as features and the index hold all vectors.

    The same bytes on every machine, so that a replay says what the stream
    said: the sum is exact (`math.fsum`), all else IEEE 754, number by number.
    Takes what `check_given` takes, however long or short.
    """
    numbers = np.array(vector, dtype=np.float64)
    numbers /= np.abs(numbers).max()  # squares of very large or small ones would leave float64
    numbers /= math.sqrt(math.fsum((numbers * numbers).tolist()))
    return numbers.astype("<f4").tobytes()
