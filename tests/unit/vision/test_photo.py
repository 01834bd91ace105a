"""Photos are put right where they are framed, dark or lit by a lamp, and left alone everywhere else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vision.pictures.photo import lit, put_right

GREEN, RED, GREY = (60, 140, 80), (190, 30, 40), (120, 120, 120)


def thing(background: tuple[int, int, int] = (255, 255, 255), colour: tuple[int, int, int] = GREEN) -> Image.Image:
    """One thing before a plain background."""
    picture = Image.new("RGB", (400, 500), background)
    ImageDraw.Draw(picture).ellipse((80, 60, 320, 440), colour)
    return picture


def textured() -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (500, 400, 3), np.uint8))


def under(picture: Image.Image, *light: float) -> Image.Image:
    return Image.fromarray(np.clip(np.asarray(picture) * light, 0, 255).astype(np.uint8))


def colour_at(picture: Image.Image, x: int = 200, y: int = 250) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(picture.getpixel((x, y)))


def screen(picture: Image.Image, above: int = 180, below: int = 140, bar: int = 245) -> Image.Image:
    """Of a phone: `picture` between bars, each with something in it."""
    whole = Image.new("RGB", (picture.width, above + picture.height + below), (bar, bar, bar))
    draw = ImageDraw.Draw(whole)
    draw.rectangle((40, 60, 200, 90), (90, 90, 90))
    draw.ellipse((180, whole.height - 60, 210, whole.height - 30), (90, 90, 90))
    whole.paste(picture, (0, above))
    return whole


@pytest.mark.parametrize(
    "photo",
    [thing(), thing((238, 232, 225)), thing(GREY), textured(), thing(RED), thing((40, 60, 200)), thing((0, 0, 0))],
    ids=["studio", "cream wall", "grey wall", "texture", "red wall", "blue wall", "black wall"],
)
def test_photos_in_good_light_are_not_touched(photo: Image.Image) -> None:
    assert put_right(photo) is photo


@pytest.mark.parametrize("light", [(1.0, 0.85, 0.65), (0.7, 0.85, 1.0)], ids=["bulb", "shade"])
def test_light_of_a_lamp_is_made_white(light: tuple[float, float, float]) -> None:
    seen = lit(under(thing(), *light))
    assert colour_at(seen, 5, 5).min() >= 250
    assert np.abs(colour_at(seen) - GREEN).max() <= 4


@pytest.mark.parametrize("light", [(1.0, 0.3, 0.3), (1.0, 0.6, 0.9), (0.6, 1.0, 0.7)], ids=["red", "pink", "green"])
def test_colours_that_no_lamp_has_are_those_of_things(light: tuple[float, float, float]) -> None:
    photo = under(thing(), *light)
    assert lit(photo) is photo


def test_dark_photo_is_as_bright_as_the_catalogue() -> None:
    seen = lit(under(thing(), 0.3, 0.3, 0.3))
    assert colour_at(seen, 5, 5).min() >= 245
    assert np.abs(colour_at(seen) - GREEN).max() <= 8


def test_gain_is_bounded_for_what_shows_nothing() -> None:
    assert lit(Image.new("RGB", (200, 200), (3, 3, 3))).getpixel((0, 0)) == (15, 15, 15)


@pytest.mark.parametrize("bar", [245, 18], ids=["light", "dark"])
def test_screenshot_is_the_picture_that_it_shows(bar: int) -> None:
    picture = textured()
    seen = put_right(screen(picture, bar=bar))
    assert seen.width == picture.width
    assert abs(seen.height - picture.height) <= 8


def test_several_things_on_white_are_all_kept() -> None:
    photo = Image.new("RGB", (300, 700), (255, 255, 255))
    for top in (60, 380):
        photo.paste(textured().resize((200, 240)), (50, top))
    assert put_right(photo) is photo


def test_bar_at_one_end_alone_is_a_wall_or_a_floor() -> None:
    photo = screen(textured(), above=0, below=200)
    photo.paste((245, 245, 245), (0, 500, 400, 700))
    assert put_right(photo) is photo


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 2)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    assert put_right(Image.new("RGB", size, (255, 0, 0))).size == size
