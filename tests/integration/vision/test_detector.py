"""The detector as it was converted, against what TensorFlow.js made of the same picture."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from tests.support.detector.drawn import drawn
from vision.detector.boxes import GRIDS
from vision.detector.detecting import Detector
from vision.detector.folder import is_installed

needs_detector = pytest.mark.skipif(not is_installed(), reason="there is no detector (make detector)")


@needs_detector
def test_numbers_are_those_of_tensorflow_js() -> None:
    outputs = Detector().outputs(Image.fromarray(drawn()))
    with files("tests.support.detector").joinpath("reference.npz").open("rb") as file, np.load(file) as reference:
        for grid in range(len(GRIDS)):
            places = reference[f"places{grid}"]
            assert len(places) == 30 and reference[f"scores{grid}"].max() > 0.1
            np.testing.assert_allclose(outputs[grid][0, places], reference[f"scores{grid}"], atol=1e-4)
            np.testing.assert_allclose(outputs[3 + grid][0, places], reference[f"distances{grid}"], atol=1e-3)


@needs_detector
def test_ball_is_seen_where_it_is() -> None:
    found = Detector().detect(Image.fromarray(drawn()), 0.4)
    ball = (292 / 416, 307 / 416, 368 / 416, 383 / 416)
    assert found and found[0].box == pytest.approx(ball, abs=0.03), found
