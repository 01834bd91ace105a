"""What a detector sees, beside what stands out in a photo."""

from __future__ import annotations

from schemas.query.box import Box
from vision.detector.boxes import Seen
from vision.items.detected import MOST_ITEMS, with_detected
from vision.items.finding import Item

LEFT, RIGHT = Box(0.1, 0.1, 0.4, 0.5), Box(0.6, 0.5, 0.9, 0.9)


def test_what_stands_out_comes_first_and_as_it_is() -> None:
    items = [Item(LEFT, 0.4)]
    assert with_detected(items, []) == items
    assert with_detected(items, [Seen(28, 0.9, RIGHT)]) == [*items, Item(RIGHT, 0.9)]


def test_thing_is_offered_once_whatever_it_is_called() -> None:
    nearly = Box(0.61, 0.5, 0.9, 0.9)
    assert with_detected([], [Seen(28, 0.9, RIGHT), Seen(0, 0.8, nearly)]) == [Item(RIGHT, 0.9)]
    assert with_detected([Item(RIGHT, 0.4)], [Seen(0, 0.8, nearly)]) == [Item(RIGHT, 0.4)]


def test_closer_box_of_what_stands_out_is_offered_as_well() -> None:
    wide = Box(0.55, 0.42, 0.98, 0.98)
    assert with_detected([Item(wide, 0.4)], [Seen(0, 0.8, RIGHT)]) == [Item(wide, 0.4), Item(RIGHT, 0.8)]


def test_details_and_whole_photos_are_no_items_and_there_is_an_end() -> None:
    assert with_detected([], [Seen(0, 0.9, Box(0, 0, 1, 1)), Seen(0, 0.9, Box(0, 0, 0.05, 0.05))]) == []
    many = [Seen(0, 0.9, Box(x / 5, y / 4, x / 5 + 0.15, y / 4 + 0.2)) for x in range(5) for y in range(4)]
    assert len(with_detected([], many)) == MOST_ITEMS
