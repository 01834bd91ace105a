from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures.drawn import product, scene
from vision.pictures.preprocess import fit_on_white, locate_item, model_input, remove_black_border


def framed(image: Image.Image, left: int, top: int, right: int, bottom: int, colour: int = 0) -> Image.Image:
    size = (image.width + left + right, image.height + top + bottom)
    frame = Image.new("RGB", size, (colour, colour, colour))
    frame.paste(image, (left, top))
    return frame


@pytest.mark.parametrize("bars", [(0, 40, 0, 40), (60, 0, 60, 0), (20, 30, 10, 5), (0, 25, 0, 0)])
@pytest.mark.parametrize("black", [0, 16])
def test_black_bars_are_cut_off_exactly(bars: tuple[int, int, int, int], black: int) -> None:
    assert remove_black_border(framed(scene(), *bars, colour=black)).tobytes() == scene().tobytes()


def test_noise_in_black_bars_does_not_keep_them() -> None:
    picture = framed(scene(400, 300), 0, 50, 0, 50)
    picture.putpixel((7, 3), (255, 255, 255))
    assert remove_black_border(picture).size == (400, 300)


def test_picture_without_bars_stays_as_it_is() -> None:
    assert remove_black_border(scene()) is not None
    assert remove_black_border(scene()).size == scene().size


def test_dark_picture_with_a_small_light_spot_stays_whole() -> None:
    dark = Image.new("RGB", (200, 200), (5, 5, 5))
    dark.paste((240, 240, 240), (90, 90, 110, 110))
    assert remove_black_border(dark).size == (200, 200)


def test_wholly_black_picture_stays_whole() -> None:
    assert remove_black_border(Image.new("RGB", (50, 40))).size == (50, 40)


def test_white_margins_are_cut_down_to_a_narrow_one() -> None:
    item = locate_item(framed(scene(200, 100), 150, 80, 50, 120, colour=255))
    assert item.size == (208, 108)
    assert item.crop((4, 4, 204, 104)).tobytes() == scene(200, 100).tobytes()


def test_photograph_that_fills_its_frame_stays_as_it_is() -> None:
    assert locate_item(scene()).size == scene().size


def test_wholly_white_picture_and_tiny_marks_stay_whole() -> None:
    white = Image.new("RGB", (300, 300), (255, 255, 255))
    assert locate_item(white).size == (300, 300)
    white.paste((0, 0, 0), (140, 140, 150, 150))
    assert locate_item(white).size == (300, 300)


@pytest.mark.parametrize("size", [(400, 100), (100, 400), (37, 41), (1, 900), (900, 1), (1, 1), (224, 224)])
def test_whole_picture_lies_centred_on_a_white_square(size: tuple[int, int]) -> None:
    square = np.asarray(fit_on_white(Image.new("RGB", size, (10, 60, 110)), 224))
    assert square.shape == (224, 224, 3)
    coloured = (square < 200).all(axis=2)
    rows, columns = np.flatnonzero(coloured.any(1)), np.flatnonzero(coloured.any(0))
    assert max(len(rows), len(columns)) == 224
    for span in (rows, columns):
        assert abs(span[0] - (223 - span[-1])) <= 1
    assert (square[~coloured] == 255).all()


def test_same_item_with_other_margins_gives_nearly_the_same_input() -> None:
    plain = model_input(product(3, 300), 224).astype(int)
    margins = model_input(framed(product(3, 300), 90, 10, 40, 70, colour=255), 224).astype(int)
    assert np.abs(plain - margins).mean() < 6


def test_model_input_is_contiguous_bytes() -> None:
    pixels = model_input(scene(), 260)
    assert (pixels.shape, pixels.dtype, pixels.flags.c_contiguous) == ((260, 260, 3), np.uint8, True)
