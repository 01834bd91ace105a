"""Half precision: learned numbers are made of what it can hold, so that the bytes that are kept are the part itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_KIND = "<f2"


def half(values: NDArray[Any]) -> NDArray[np.float32]:
    """float32 of the digits that half precision can hold of them."""
    held: NDArray[np.float32] = values.astype(_KIND).astype(np.float32)
    return held


def half_bytes(values: NDArray[Any]) -> bytes:
    """As float16, little endian, row by row."""
    return values.astype(_KIND).tobytes()


def from_half_bytes(data: bytes) -> NDArray[np.float32]:
    """What `half_bytes` wrote, flat. Raises `ValueError` for half a number."""
    return np.frombuffer(data, _KIND).astype(np.float32)
