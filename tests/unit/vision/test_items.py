"""What stands out in a photo is found, and cut out as a photo of its own."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from schemas.query.box import WHOLE, Box, checked_box
from tests.support.pictures.drawn import encoded, product
from vision.items import cutting
from vision.items.components import components
from vision.items.cutting import cut
from vision.items.finding import Item, find_items, searched_box
from vision.pictures.decode import ImageLimits, decode_image

JACKET, BAG = Box(0.1, 0.2, 0.45, 0.8), Box(0.6, 0.3, 0.9, 0.7)
SCENE = (400, 300)


def table(width: int = SCENE[0], height: int = SCENE[1]) -> Image.Image:
    """A table top: light falls from one side, and the wood has a grain."""
    random = np.random.default_rng(1)
    light = np.linspace(0.8, 1.0, width)[None, :, None] * np.array([190, 160, 120])
    pixels = light + random.normal(0, 4, (height, width, 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def laid(*boxes: Box, colours: tuple[str, ...] = ("navy", "crimson", "darkgreen")) -> Image.Image:
    photo = table()
    draw = ImageDraw.Draw(photo)
    for box, colour in zip(boxes, colours, strict=False):
        corners = (box.x0 * photo.width, box.y0 * photo.height, box.x1 * photo.width, box.y1 * photo.height)
        draw.rounded_rectangle(corners, 20, fill=colour)
        draw.line((corners[0] + 20, corners[1] + 30, corners[2] - 20, corners[1] + 30), fill="white", width=3)
    return photo


def test_every_item_on_a_table_is_found_and_the_larger_one_first() -> None:
    found = find_items(laid(JACKET, BAG))
    assert len(found) == 2
    for item, box in zip(found, (JACKET, BAG), strict=True):
        assert box.within(item.box) > 0.98
        assert item.box.overlap(box) > 0.6, "with no more than a margin around it"
    assert searched_box(laid(JACKET, BAG), found) == found[0].box
    assert found == find_items(laid(JACKET, BAG))


def test_nothing_is_found_where_nothing_is() -> None:
    assert find_items(table()) == []
    assert searched_box(table(), []) == WHOLE


def test_photo_that_one_thing_fills_is_searched_whole() -> None:
    filled = laid(Box(0.05, 0.05, 0.95, 0.95))
    assert searched_box(filled, find_items(filled)) == WHOLE
    assert searched_box(table(), [Item(Box(0.1, 0.1, 0.3, 0.3), 0.21)]) == WHOLE, "it hardly stands out"
    studio = product(3)
    assert find_items(studio)
    assert searched_box(studio, find_items(studio)) == WHOLE


@pytest.mark.parametrize("size", [(1, 1), (63, 900), (64, 64), (1200, 64), (64, 4000), (3, 200)])
@pytest.mark.parametrize("kind", ["black", "white", "noise"])
def test_any_size_and_content_gives_boxes_within_the_photo(size: tuple[int, int], kind: str) -> None:
    if kind == "noise":
        photo = Image.fromarray(np.random.default_rng(2).integers(0, 256, (size[1], size[0], 3), np.uint8))
    else:
        photo = Image.new("RGB", size, kind)
    for item in find_items(photo):
        assert checked_box(item.box) == item.box
        assert 0 < item.score <= 1
    for box in (Box(0.0, 0.0, 0.01, 0.01), Box(0.99, 0.99, 1.0, 1.0), Box(0.2, 0.2, 0.9, 0.4)):
        part = cut(photo, box)
        assert min(part.size) >= 1
        assert max(part.size) <= cutting.LONGEST_SIDE


def test_photo_that_a_phone_took_sideways_has_its_boxes_upright() -> None:
    exif = Image.Exif()
    exif[274] = 6
    lying = laid(JACKET, BAG).transpose(Image.Transpose.ROTATE_90)
    photo = decode_image(encoded(lying, "JPEG", quality=95, exif=exif.tobytes()), ImageLimits())
    assert photo.size == SCENE
    assert find_items(photo)[0].box.overlap(JACKET) > 0.6


def test_what_is_cut_out_stands_on_white() -> None:
    part = cut(laid(JACKET, BAG), Box(0.02, 0.1, 0.53, 0.9))
    pixels = np.asarray(part)
    assert (pixels[[0, -1]].min(axis=(0, 2)) > 250).mean() > 0.9
    middle = pixels[part.height * 2 // 3, part.width // 2]
    assert tuple(middle) == (0, 0, 128)


def test_box_with_nothing_but_background_is_cut_as_it_is() -> None:
    photo, box = laid(JACKET), Box(0.6, 0.3, 0.9, 0.7)
    left, top, right, bottom = 240, 90, 360, 210
    assert cut(photo, box).tobytes() == photo.crop((left, top, right, bottom)).tobytes()


def test_studio_picture_cut_by_a_box_around_its_item_keeps_all_but_its_edge() -> None:
    picture = product(3)
    part = np.asarray(cut(picture, Box(0.05, 0.05, 0.95, 0.95)))
    whole = np.asarray(picture.crop((15, 15, 285, 285)))
    item = ndimage.binary_erosion(whole.min(axis=2) < 250, iterations=8)
    assert item.any()
    assert np.array_equal(part[item], whole[item])


def test_encoded_part_is_read_again() -> None:
    part = cut(laid(JACKET, BAG), JACKET)
    again = Image.open(io.BytesIO(cutting.encoded(part)))
    assert again.size == part.size
    assert np.abs(np.asarray(again, np.int16) - np.asarray(part, np.int16)).mean() < 2


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        ((0.1, 0.1, 0.5), "four"),
        ((0.0, 0.0, 1.1, 1.0), "0 to 1"),
        ((-0.1, 0.0, 1.0, 1.0), "0 to 1"),
        ((float("nan"), 0.0, 1.0, 1.0), "0 to 1"),
        ((0.5, 0.1, 0.5, 0.9), "above"),
        ((0.1, 0.6, 0.9, 0.605), "above"),
    ],
)
def test_what_is_no_box_is_refused(numbers: tuple[float, ...], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        checked_box(numbers)


@pytest.mark.parametrize("seed", range(8))
def test_components_are_those_of_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((random.integers(1, 40), random.integers(1, 40))) < random.uniform(0.2, 0.8)
    labels, count = ndimage.label(mask)
    found = components(mask)
    assert len(found) == count
    for part in found:
        rows, columns, own = part.mask(2, *mask.shape)
        number = labels[part.runs[0][0], part.runs[0][1]]
        assert np.array_equal(own, labels[rows, columns] == number)
        box = ndimage.find_objects(labels)[number - 1]
        assert (part.top, part.bottom, part.left, part.right) == (
            box[0].start, box[0].stop, box[1].start, box[1].stop
        )  # fmt: skip
        assert part.pixels == own.sum()
    assert components(np.zeros((3, 4), np.bool_)) == []


def test_overlap_is_what_both_cover() -> None:
    box, other = Box(0.0, 0.0, 0.5, 1.0), Box(0.25, 0.0, 0.75, 1.0)
    assert box.overlap(other) == pytest.approx(1 / 3)
    assert box.within(other) == pytest.approx(0.5)
    assert box.overlap(Box(0.6, 0.0, 0.9, 1.0)) == 0
