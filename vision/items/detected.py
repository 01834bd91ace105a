"""The items of a photo where a detector looks as well: what it sees is offered beside what stands out.

Its boxes are used and its names are not: a jumper that it takes for a suitcase is where it says (docs/adr/0065).
"""

from __future__ import annotations

from collections.abc import Sequence

from vision.detector.boxes import Seen
from vision.items.finding import LEAST_AREA, MOST_AREA, Item

LEAST_SCORE = 0.15
"""Of the detector: what is less sure is often nothing."""
MOST_ITEMS = 12
"""In all; those that stand out come first."""
_ONE_THING = 0.5
"""Overlap of two of the detector's boxes from which on they are of one thing, whatever it calls them."""
_SAME_BOX = 0.7
"""Overlap with a box that stands out from which on nothing is gained by another."""


def with_detected(items: Sequence[Item], seen: Sequence[Seen]) -> list[Item]:
    """The items that stand out, as they are, and then what the detector sees beside them, the surest first."""
    chosen = [*items]
    things: list[Seen] = []
    for each in seen:
        if len(chosen) == MOST_ITEMS:
            break
        if not LEAST_AREA <= each.box.area <= MOST_AREA or any(
            each.box.overlap(other.box) > _ONE_THING for other in things
        ):
            continue
        things.append(each)
        if not any(each.box.overlap(item.box) > _SAME_BOX for item in items):
            chosen.append(Item(each.box, each.score))
    return chosen
