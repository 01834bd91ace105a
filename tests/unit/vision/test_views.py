"""Views: altered copies of a prepared picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vision.blocks.views import views

SIZE = 64


def studio() -> NDArray[np.uint8]:
    """A red thing, off the middle, on white."""
    picture = np.full((SIZE, SIZE, 3), 255, np.uint8)
    picture[16:48, 10:34] = (200, 30, 30)
    return picture


def room() -> NDArray[np.uint8]:
    """A picture without white."""
    return np.random.default_rng(1).integers(20, 200, (SIZE, SIZE, 3)).astype(np.uint8)


def test_views_have_the_pictures_form_and_differ() -> None:
    found = list(views(studio(), 6, seed=1, number=0))
    assert len(found) == 6
    assert all(view.shape == (SIZE, SIZE, 3) and view.dtype == np.uint8 for view in found)
    assert len({view.tobytes() for view in found} | {studio().tobytes()}) == 7


def test_a_picture_has_the_same_views_whatever_comes_before_it() -> None:
    first = [view.tobytes() for view in views(studio(), 3, seed=1, number=5)]
    list(views(room(), 9, seed=1, number=4))
    assert [view.tobytes() for view in views(studio(), 3, seed=1, number=5)] == first
    assert [view.tobytes() for view in views(studio(), 3, seed=2, number=5)] != first
    assert [view.tobytes() for view in views(studio(), 3, seed=1, number=6)] != first


def test_most_views_still_show_the_thing() -> None:
    def redness(view: NDArray[np.uint8]) -> float:
        wide = view.astype(np.int32)
        return float(((wide[..., 0] - wide[..., 1] > 60) & (wide[..., 0] - wide[..., 2] > 60)).mean())

    shares = [redness(view) for view in views(studio(), 40, seed=1, number=0)]
    assert np.mean([share > 0.02 for share in shares]) > 0.9


def test_white_background_is_replaced_in_some_views() -> None:
    def coloured(view: NDArray[np.uint8]) -> bool:
        """Whether a fifth of it is neither grey nor the thing's red."""
        wide = view.astype(np.int32)
        red = (wide[..., 0] - wide[..., 1] > 60) & (wide[..., 0] - wide[..., 2] > 60)
        return float((~red & (np.ptp(wide, axis=2) > 40)).mean()) > 0.2

    assert 5 <= sum(coloured(view) for view in views(studio(), 60, 1, 0)) <= 25
    assert not any(coloured(view) for view in views(np.full((SIZE, SIZE, 3), 100, np.uint8), 60, 1, 0))


def test_picture_is_left_as_it_was() -> None:
    picture = studio()
    list(views(picture, 5, seed=1, number=0))
    np.testing.assert_array_equal(picture, studio())
