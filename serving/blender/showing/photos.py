"""What an answer says of the photos that were searched with."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.query.box import Box
from serving.blender.embedding.items import Looked
from serving.blender.showing.answers import ItemSeen, PhotoSeen


def photos_seen(looked: Sequence[Looked]) -> list[PhotoSeen] | None:
    """Of each photo, in their order; None where there is nothing to say of any."""
    if not any(each.telling for each in looked):
        return None
    return [
        PhotoSeen(
            _numbers(each.box),
            None if each.items is None else [ItemSeen(_numbers(item.box), item.score) for item in each.items],
        )
        for each in looked
    ]


def _numbers(box: Box) -> tuple[float, float, float, float]:
    return (box.x0, box.y0, box.x1, box.y1)
