"""Items of a query's photo where the detector looks as well."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from serving.blender.embedding.items import PhotoItems
from tests.support.detector.drawn import drawn
from vision.detector.detecting import Detector
from vision.detector.folder import is_installed
from vision.pictures.decode import ImageLimits

pytestmark = pytest.mark.anyio
BALL = (292 / 416, 307 / 416, 368 / 416, 383 / 416)


@pytest.mark.skipif(not is_installed(), reason="there is no detector (make detector)")
async def test_what_the_detector_sees_is_offered_and_what_is_searched_by_default_stays() -> None:
    file = io.BytesIO()
    Image.fromarray(drawn()).save(file, "PNG")
    plain, detecting = PhotoItems(ImageLimits()), PhotoItems(ImageLimits(), detector=Detector(), most_known=4)
    try:
        before = await plain.look(file.getvalue(), tell=True)
        found = await detecting.look(file.getvalue(), tell=True)
        again = await detecting.look(file.getvalue(), tell=True)
    finally:
        plain.close()
        detecting.close()
    assert before.items is not None and found.items is not None
    assert found.items[: len(before.items)] == before.items
    assert any(each.box == pytest.approx(BALL, abs=0.03) for each in found.items[len(before.items) :])
    assert found.box == before.box and again == found
