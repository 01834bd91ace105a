"""A vector that comes with an image: its length, its version, what it makes of the image's identity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import RejectedError
from schemas.events.event import ImageRef
from schemas.events.given_vector import MAX_NUMBERS, check_given, unit, version_of

numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=9).filter(any)


@given(numbers)
def test_any_vector_with_a_direction_comes_to_length_1(vector: list[float]) -> None:
    check_given(vector)
    made = np.frombuffer(unit(vector), "<f4")
    assert made.shape == (len(vector),)
    assert np.linalg.norm(made.astype(np.float64)) == pytest.approx(1.0, abs=1e-6)
    largest = int(np.argmax(np.abs(vector)))
    assert np.sign(made[largest]) == np.sign(vector[largest])


def test_direction_stays() -> None:
    assert np.frombuffer(unit([3.0, -4.0]), "<f4").tolist() == pytest.approx([0.6, -0.8])
    assert unit([3e200, -4e200]) == unit([3.0, -4.0])


@pytest.mark.parametrize("vector", [[], [1.0], [0.0, -0.0], [1.0] * (MAX_NUMBERS + 1)])
def test_what_is_no_direction_is_refused(vector: list[float]) -> None:
    with pytest.raises(RejectedError, match="vector"):
        check_given(vector)


def test_another_vector_or_another_version_of_the_picture_is_another_version() -> None:
    made = {
        version_of([1.0, 2.0]),
        version_of([2.0, 1.0]),
        version_of([1.0, 2.0], "a"),
        version_of([1.0, 2.0], "b"),
    }
    assert len(made) == 4
    assert ImageRef(url="u", version=7, vector=[1.0, 2.0]).version_text == version_of([1.0, 2.0], "7")
    assert ImageRef(url="u", vector=[1.0, 2.0]).version_text == version_of([1.0, 2.0])
    assert ImageRef(url="u", version=7).version_text == "7"
