from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from schemas.errors import RejectedError
from tests.support.pictures.drawn import encoded, scene
from vision.pictures.decode import ImageLimits, decode_image, held_pixels

LIMITS = ImageLimits()
REASONS = {"image_empty", "image_too_large", "image_too_many_pixels", "image_format", "image_broken"}


def mean_difference(a: Image.Image, b: Image.Image) -> float:
    assert a.size == b.size
    return float(np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).mean())


def refusal(data: bytes, limits: ImageLimits = LIMITS) -> str:
    with pytest.raises(RejectedError) as caught:
        decode_image(data, limits)
    return caught.value.reason


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(scene(), "JPEG", quality=92), id="jpeg"),
        pytest.param(encoded(scene(), "JPEG", quality=92, progressive=True), id="progressive-jpeg"),
        pytest.param(encoded(scene(), "PNG"), id="png"),
        pytest.param(encoded(scene(), "WEBP", quality=92), id="webp"),
        pytest.param(encoded(scene(), "WEBP", lossless=True), id="lossless-webp"),
        pytest.param(encoded(scene(), "GIF"), id="gif"),
        pytest.param(encoded(scene().quantize(16), "PNG"), id="palette-png"),
        pytest.param(encoded(scene().convert("RGBA"), "PNG"), id="rgba-png"),
        pytest.param(encoded(scene().convert("RGBA"), "WEBP", lossless=True), id="rgba-webp"),
        pytest.param(encoded(scene().convert("CMYK"), "JPEG", quality=92), id="cmyk-jpeg"),
    ],
)
def test_every_format_decodes_to_the_same_picture(data: bytes) -> None:
    image = decode_image(data, LIMITS)
    assert image.mode == "RGB"
    assert mean_difference(image, scene()) < 6


def test_transparent_pixels_become_white_whatever_colour_they_hide() -> None:
    picture = scene().convert("RGBA")
    picture.putalpha(Image.new("L", picture.size, 0))
    assert np.asarray(decode_image(encoded(picture, "PNG"), LIMITS)).min() == 255


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert abs(int(np.asarray(decode_image(encoded(picture, "PNG"), LIMITS))[0, 0, 0]) - 127) <= 1


def test_transparent_colour_of_a_palette_becomes_white() -> None:
    picture = Image.new("P", (8, 8), 3)
    picture.putpalette([0, 0, 0] * 256)
    assert np.asarray(decode_image(encoded(picture, "GIF", transparency=3), LIMITS)).min() == 255


def test_transparent_colour_key_of_an_rgb_png_becomes_white() -> None:
    data = encoded(Image.new("RGB", (8, 8), (10, 20, 30)), "PNG", transparency=(10, 20, 30))
    assert np.asarray(decode_image(data, LIMITS)).min() == 255


def test_grey_with_alpha_and_one_bit_pictures_decode() -> None:
    assert decode_image(encoded(Image.new("LA", (8, 8), (90, 255)), "PNG"), LIMITS).getpixel((0, 0)) == (90, 90, 90)
    assert decode_image(encoded(Image.new("1", (8, 8), 1), "PNG"), LIMITS).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_grey_is_scaled_and_not_cut_off() -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    decoded = np.asarray(decode_image(encoded(Image.fromarray(ramp), "PNG"), LIMITS))[..., 0]
    assert np.abs(decoded.astype(int) - (ramp >> 8)).max() <= 1


def test_animation_gives_its_first_frame() -> None:
    later = [Image.new("RGB", scene().size, colour) for colour in ("yellow", "black")]
    for file_format in ("GIF", "WEBP"):
        data = encoded(scene(), file_format, save_all=True, append_images=later, duration=50)
        assert mean_difference(decode_image(data, LIMITS), scene()) < 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_undone(orientation: int, file_format: str) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = scene().transpose(undo[orientation]) if orientation > 1 else scene()
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_image(encoded(stored, file_format, exif=exif), LIMITS)
    assert mean_difference(decoded, scene()) < 8


def test_broken_exif_does_not_cost_the_picture() -> None:
    data = encoded(scene(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xffrubbish")
    assert decode_image(data, LIMITS).size == scene().size


def test_huge_jpeg_is_decoded_at_a_fraction_but_never_below_what_encoders_need() -> None:
    decoded = decode_image(encoded(scene(4000, 3000), "JPEG"), LIMITS)
    assert 640 <= min(decoded.size) < 1280
    assert decoded.width / decoded.height == pytest.approx(4 / 3, rel=0.01)


def test_no_bytes_are_refused_as_empty() -> None:
    assert refusal(b"") == "image_empty"


def test_too_many_bytes_are_refused() -> None:
    data = encoded(scene(), "PNG")
    assert refusal(data, ImageLimits(max_bytes=len(data) - 1)) == "image_too_large"
    decode_image(data, ImageLimits(max_bytes=len(data)))


def test_pixels_are_limited_exactly() -> None:
    data = encoded(scene(100, 50), "PNG")
    assert refusal(data, ImageLimits(max_pixels=4999)) == "image_too_many_pixels"
    decode_image(data, ImageLimits(max_pixels=5000))


def png_claiming(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10_000, 40_000, 2**31 - 1])
def test_decompression_bomb_is_refused_by_its_header(side: int) -> None:
    assert refusal(png_claiming(side, side)) == "image_too_many_pixels"


def test_picture_without_pixels_is_broken() -> None:
    assert refusal(png_claiming(0, 10)) in {"image_broken", "image_format"}


@pytest.mark.parametrize(
    "data",
    [
        b"not an image",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.4 ...",
        encoded(scene(), "BMP"),
        b"\0" * 99,
    ],
)
def test_other_formats_are_refused_by_name(data: bytes) -> None:
    assert refusal(data) == "image_format"


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_file_is_broken(file_format: str, kept: float) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8))
    data = encoded(noise, file_format)
    assert refusal(data[: int(len(data) * kept)]) == "image_broken"


SEEDS = [encoded(scene(40, 30), name) for name in ("JPEG", "PNG", "WEBP", "GIF")] + [
    encoded(scene(40, 30).convert("CMYK"), "JPEG"),
    encoded(scene(40, 30).convert("RGBA"), "WEBP"),
    encoded(scene(40, 30).quantize(16), "PNG", transparency=2),
    encoded(Image.fromarray(np.zeros((9, 9), np.uint16)), "PNG"),
]


def decodes_or_is_refused(data: bytes) -> None:
    try:
        image = decode_image(data, ImageLimits(max_pixels=100_000))
    except RejectedError as error:
        assert error.reason in REASONS
    else:
        assert image.mode == "RGB"
        assert min(image.size) >= 1


MAGIC = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF....WEBPVP8 "]


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(MAGIC),
)
def test_any_bytes_decode_or_are_refused(tail: bytes, magic: bytes) -> None:
    decodes_or_is_refused(magic + tail)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False))
def test_damaged_files_decode_or_are_refused(seed: bytes, chance: random.Random) -> None:
    data = bytearray(seed)
    for _ in range(chance.choice((1, 2, 5, 20))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)) :]
    decodes_or_is_refused(bytes(data))


def test_decoding_does_not_touch_the_given_bytes_and_repeats_exactly() -> None:
    data = encoded(scene(), "JPEG")
    first, second = decode_image(data, LIMITS), decode_image(io.BytesIO(data).getvalue(), LIMITS)
    assert first.tobytes() == second.tobytes()


def test_what_a_picture_holds_is_known_from_its_header() -> None:
    assert held_pixels(encoded(scene(100, 50), "PNG")) == 5000
    assert held_pixels(encoded(scene(100, 50), "JPEG", progressive=True)) == 5000
    assert held_pixels(encoded(scene(400, 100), "JPEG")) == 2500  # scaled down while it is read
    assert held_pixels(png_claiming(20_000, 20_000)) in (0, 400_000_000)
    assert held_pixels(b"rubbish") == held_pixels(b"") == 0
