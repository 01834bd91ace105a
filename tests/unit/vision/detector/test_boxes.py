"""From the detector's numbers to boxes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.query.box import Box
from vision.detector.boxes import GRIDS, boxes_of
from vision.detector.names import NAMES

Outputs = list[NDArray[np.float32]]


def outputs() -> Outputs:
    """Of a picture in which nothing is seen."""
    scores = [np.zeros((1, grid * grid, len(NAMES)), np.float32) for grid in GRIDS]
    return [*scores, *(np.zeros((1, grid * grid, 44), np.float32) for grid in GRIDS)]


def put(found: Outputs, grid: int, column: int, row: int, label: int, score: float, sides: tuple[int, ...]) -> None:
    """A thing in that place of a grid, whose sides are so many steps away."""
    size = GRIDS[grid]
    place = row * size + column
    found[grid][0, place, label] = score
    distances = np.full((4, 11), -20.0, np.float32)
    distances[np.arange(4), sides] = 20.0
    found[3 + grid][0, place] = distances.ravel()


def test_distances_are_counted_from_the_middle_of_a_place_in_steps_of_its_grid() -> None:
    found = outputs()
    put(found, 2, 6, 6, 0, 0.9, (2, 3, 4, 1))
    (seen,) = boxes_of(found, 0.5)
    assert (NAMES[seen.label], seen.score) == ("person", pytest.approx(0.9, abs=1e-4))
    assert seen.box == pytest.approx(Box(4.5 / 13, 3.5 / 13, 10.5 / 13, 7.5 / 13), abs=1e-4)


def test_distance_is_the_mean_of_its_distribution() -> None:
    found = outputs()
    put(found, 1, 13, 13, 5, 0.7, (2, 2, 2, 2))
    distances = found[4][0, 13 * 26 + 13].reshape(4, 11)
    distances[0, 4] = 20.0  # two and four steps to the left, alike
    (seen,) = boxes_of(found, 0.5)
    assert seen.box.x0 == pytest.approx((13.5 - 3) / 26, abs=1e-4)


def test_thing_is_told_once_by_its_surest_place_and_each_class_for_itself() -> None:
    found = outputs()
    put(found, 2, 6, 6, 0, 0.8, (3, 3, 3, 3))
    put(found, 1, 13, 13, 0, 0.9, (6, 6, 6, 6))
    put(found, 0, 26, 26, 28, 0.6, (10, 10, 10, 10))
    put(found, 2, 1, 1, 0, 0.7, (1, 1, 1, 1))
    put(found, 2, 10, 10, 0, 0.4, (1, 1, 1, 1))
    assert [(each.label, each.score) for each in boxes_of(found, 0.5)] == [
        (0, pytest.approx(0.9)), (0, pytest.approx(0.7)), (28, pytest.approx(0.6)),
    ]  # fmt: skip


def test_boxes_end_with_the_picture() -> None:
    found = outputs()
    put(found, 2, 0, 12, 0, 0.8, (9, 9, 9, 9))
    (seen,) = boxes_of(found, 0.5)
    assert (seen.box.x0, seen.box.y1) == (0.0, 1.0)


def test_there_are_as_many_names_as_classes_of_coco() -> None:
    assert len(set(NAMES)) == 80 and NAMES[0] == "person" and NAMES[-1] == "toothbrush"
