"""What was made of photos a moment ago: the next page of a question sends its photo again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from schemas.ids import content_hash

T = TypeVar("T")
Vector = NDArray[np.float32]


class Known(Generic[T]):
    """The last `most` things by the photo's bytes and what made them; 0: none. Lives on one event loop.

    A thing is a function of both, so nothing here grows old; photos themselves are not kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: OrderedDict[tuple[bytes, str], T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._things)

    def key(self, data: bytes, maker: str) -> tuple[bytes, str] | None:
        """What the photo is known by; None where none are kept. `maker`: such as an extractor id."""
        return (content_hash(data), maker) if self._most else None

    def get(self, key: tuple[bytes, str] | None) -> T | None:
        """What was made of it, if it is known."""
        thing = None if key is None else self._things.get(key)
        if thing is not None and key is not None:
            self._things.move_to_end(key)
        return thing

    def put(self, key: tuple[bytes, str] | None, thing: T) -> None:
        """The longest unused one goes where there are too many."""
        if key is None:
            return
        self._things[key] = thing
        if len(self._things) > self._most:
            self._things.popitem(last=False)


class KnownPhotos(Known[Vector]):
    """Their vectors, by the extractor's id."""
