"""Vectors as clients write them: what float32 cannot say is refused, and nothing warns of it."""

from __future__ import annotations

import warnings

import pytest

from schemas.errors import RejectedError
from serving.blender.asking.likeness import normalised, vector_of
from tests.support.serving.world import DIMENSION, EXTRACTOR


@pytest.mark.parametrize("beyond", [1e39, -1e39, 1e308])
def test_number_beyond_float32_is_refused_without_a_warning(beyond: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vector = vector_of([beyond, *[1.0] * (DIMENSION - 1)])
        with pytest.raises(RejectedError, match="not finite float32"):
            normalised(vector, EXTRACTOR)


def test_greatest_float32_has_a_direction() -> None:
    vector = normalised(vector_of([3.4e38] * DIMENSION), EXTRACTOR)
    assert vector.tolist() == pytest.approx([DIMENSION**-0.5] * DIMENSION)
