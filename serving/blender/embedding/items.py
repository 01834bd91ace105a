"""Which part of a photo is searched with: the box that was given, or the item that it shows; cut out where it is one.

What is cut out is a photo of its own, and takes the way of any other from here on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from schemas.query.box import WHOLE, Box
from serving.blender.embedding.decoding import BYTES_PER_COST, LARGE_COST, Lanes
from serving.blender.embedding.encoders import DECODE_THREADS, MOST_WAITING
from serving.blender.embedding.known import Known
from serving.blender.embedding.memory import FreedMemory
from vision.detector.detecting import Detector
from vision.items.cutting import cut, encoded
from vision.items.detected import LEAST_SCORE, with_detected
from vision.items.finding import Item, find_items, searched_box
from vision.pictures.decode import ImageLimits, checked_header, decode_image
from vision.pictures.photo import lit

_MAKER, _DETECTING_MAKER = "items 1", "items 1, detector 1"

T = TypeVar("T")


class Looked(NamedTuple):
    """`data`: the photo to embed. `box`: which part of the one that was sent it shows; `items`: those found in that
    one, None where nobody asks for them."""

    data: bytes
    box: Box
    items: list[Item] | None

    @property
    def telling(self) -> bool:
        """There is something to say of it."""
        return self.items is not None or self.box != WHOLE


class _Sight(NamedTuple):
    """What is found in a photo, and what of it is searched by default."""

    items: list[Item]
    box: Box


class PhotoItems:
    """Looks at photos before they are embedded, on threads of its own. Lives on one event loop."""

    def __init__(
        self,
        limits: ImageLimits,
        *,
        choose: bool = True,
        detector: Detector | None = None,
        most_waiting: int = MOST_WAITING,
        most_known: int = 0,
        memory: FreedMemory | None = None,
    ) -> None:
        """choose: a photo without a box whose items are wanted is searched by what `searched_box` says of it.

        detector: looks for items as well. `most_known`: photos whose items are kept, see `Known`.
        """
        self._limits = limits
        self._choose = choose
        self._detector = detector
        self._maker = _MAKER if detector is None else _DETECTING_MAKER
        self._lanes = Lanes(DECODE_THREADS, most_waiting)
        self._memory = memory or FreedMemory()
        self._known: Known[_Sight] = Known(most_known)

    async def look(self, data: bytes, box: Box | None = None, *, tell: bool = False) -> Looked:
        """What to search with in the place of the photo. `tell`: its items are wanted.

        Who does not want them pays nothing for them: looking takes as long as
        embedding. The whole photo is what it was. Raises `RejectedError` for what is
        no picture, `TransientError` when too many photos wait already.
        """
        sight = await self._sight(data) if tell else None
        items = None if sight is None else sight.items
        if box is None:
            box = sight.box if sight is not None and self._choose else WHOLE
        if box == WHOLE:
            return Looked(data, WHOLE, items)
        part = await self._run(data, partial(_cut, data, self._limits, box))
        return Looked(part, box, items)

    async def _sight(self, data: bytes) -> _Sight:
        key = self._known.key(data, self._maker)
        sight = self._known.get(key)
        if sight is None:
            sight = await self._run(data, partial(_seen, data, self._limits, self._detector))
            self._known.put(key, sight)
        return sight

    async def _run(self, data: bytes, work: Callable[[], T]) -> T:
        cost = checked_header(data, self._limits).cost
        try:
            return await self._lanes.of(cost).run(work)
        finally:
            if cost >= LARGE_COST:
                self._memory.note(cost * BYTES_PER_COST)

    def close(self) -> None:
        """Ends the threads."""
        self._lanes.close()


def _seen(data: bytes, limits: ImageLimits, detector: Detector | None) -> _Sight:
    image = decode_image(data, limits)
    items = find_items(image)
    box = searched_box(image, items)
    return _Sight(items if detector is None else with_detected(items, detector.detect(image, LEAST_SCORE)), box)


def _cut(data: bytes, limits: ImageLimits, box: Box) -> bytes:
    # The light is that of the whole photo: what fills a box may have any colour.
    return encoded(cut(lit(decode_image(data, limits)), box))
