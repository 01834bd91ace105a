"""What generations learned, of one kind, kept as it is used: read once, as long as its generation is asked for."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from generations.folder import Generations
from schemas.full_index.generation import Generation
from schemas.full_index.learned import LearnedPart

T = TypeVar("T")

MOST_HELD = 2
"""Generations of which a part is in memory: of a swap the old and the new."""
TRY_AGAIN_S = 60.0


class HeldParts(Generic[T]):
    """Of each generation the part of that kind, where it is used. One thread.

    `decode`: from a generation, its entry and the file's bytes; None: it is of
    others than are here.
    """

    def __init__(
        self, generations: Generations, kind: str, decode: Callable[[Generation, LearnedPart, bytes], T | None]
    ) -> None:
        self._generations = generations
        self._kind = kind
        self._decode = decode
        self._held: OrderedDict[str, tuple[T | None, float]] = OrderedDict()

    def get(self, name: str) -> T | None:
        """None: generation `name` has none that is used, or it was put aside moments ago.

        Raises `CorruptError`, `OperatorError` and what `decode` raises.
        """
        held = self._held.get(name)
        if held is None or held[1] < time.monotonic():
            held = self._held[name] = self._read(name), float("inf")
        self._keep(name)
        return held[0]

    def is_sure(self, name: str) -> bool:
        """Whether what `get` gave stays so."""
        held = self._held.get(name)
        return held is not None and held[1] == float("inf")

    def put_aside(self, name: str) -> None:
        """It is not to be used; it is read anew in a minute."""
        self._held[name] = None, time.monotonic() + TRY_AGAIN_S
        self._keep(name)

    def _keep(self, name: str) -> None:
        self._held.move_to_end(name)
        while len(self._held) > MOST_HELD:
            self._held.popitem(last=False)

    def _read(self, name: str) -> T | None:
        generation = self._generations.read(name)
        entry = next((each for each in generation.learned if each.kind == self._kind), None)
        if entry is None or not entry.used:
            return None
        return self._decode(generation, entry, self._generations.learned(name, entry))
