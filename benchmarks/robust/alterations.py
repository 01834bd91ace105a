"""What happens to photos before they are asked with: turned, mirrored, dark, blurred, pressed, framed.

Each takes a picture and gives a file's bytes, since some of them are of the file: how hard it was
pressed, and the note in it that says which way is up.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Alteration = Callable[[Image.Image], bytes]

_QUALITY = 92
_ORIENTATION = 0x0112
_TURNED_RIGHT = 6
"""In Exif: shown after a quarter turn clockwise."""


def altered(file: bytes, alteration: Alteration) -> bytes:
    """The picture as it is shown, altered."""
    with Image.open(io.BytesIO(file)) as opened:
        return alteration(ImageOps.exif_transpose(opened).convert("RGB"))


def pressed(picture: Image.Image, quality: int = _QUALITY) -> bytes:
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=quality)
    return written.getvalue()


def _turned(degrees: int) -> Alteration:
    """By hand: corners show what is next to them, as a photo would go on, and nothing is cut off."""

    def turn(picture: Image.Image) -> bytes:
        pixels = np.asarray(picture)
        margin = [(pixels.shape[0] // 3,) * 2, (pixels.shape[1] // 3,) * 2, (0, 0)]
        wide = Image.fromarray(np.pad(pixels, margin, mode="edge")).rotate(degrees, Image.Resampling.BILINEAR)
        around = Image.new("L", picture.size, 255).rotate(degrees, expand=True).size
        left, top = (wide.width - around[0]) // 2, (wide.height - around[1]) // 2
        return pressed(wide.crop((left, top, left + around[0], top + around[1])))

    return turn


def _quarter(turn: Image.Transpose) -> Alteration:
    return lambda picture: pressed(picture.transpose(turn))


def _noted(picture: Image.Image) -> bytes:
    """As phones write it: pixels lie on their side, and a note says how to turn them."""
    note = Image.Exif()
    note[_ORIENTATION] = _TURNED_RIGHT
    written = io.BytesIO()
    picture.transpose(Image.Transpose.ROTATE_90).save(written, "JPEG", quality=_QUALITY, exif=note)
    return written.getvalue()


def _dark(picture: Image.Image) -> bytes:
    """A third of the light, and the noise that a phone adds then."""
    pixels = np.asarray(ImageEnhance.Brightness(picture).enhance(0.33), np.float32)
    noise = np.random.default_rng(1).normal(0.0, 8.0, pixels.shape)
    return pressed(Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)))


def _warm(picture: Image.Image) -> bytes:
    """By the light of a bulb."""
    return pressed(Image.fromarray(np.clip(np.asarray(picture) * [1.1, 0.95, 0.7], 0, 255).astype(np.uint8)))


def _blurred(picture: Image.Image) -> bytes:
    """Out of focus by a hundredth of the longer side."""
    return pressed(picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 100)))


def _small(picture: Image.Image) -> bytes:
    copy = picture.copy()
    copy.thumbnail((96, 96))
    return pressed(copy)


def _framed(picture: Image.Image) -> bytes:
    """A screenshot of a phone: the picture as wide as the screen, bars of an application above and below."""
    width = 720
    height = max(1, round(picture.height * width / picture.width))
    screen = Image.new("RGB", (width, max(1560, height + 400)), (18, 18, 20))
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, width, 160), (245, 245, 245))
    draw.rounded_rectangle((40, 60, width - 40, 130), 30, (225, 225, 228))
    draw.rectangle((0, screen.height - 140, width, screen.height), (245, 245, 245))
    for number in range(4):
        centre = width * (2 * number + 1) // 8
        draw.ellipse((centre - 24, screen.height - 94, centre + 24, screen.height - 46), (120, 120, 128))
    screen.paste(picture.resize((width, height)), (0, 160 + (screen.height - 300 - height) // 2))
    return pressed(screen)


ALTERATIONS: dict[str, Alteration] = {
    "as it is": pressed,
    "turned by 15 degrees": _turned(15),
    "on its side": _quarter(Image.Transpose.ROTATE_90),
    "on its side, with a note": _noted,
    "upside down": _quarter(Image.Transpose.ROTATE_180),
    "mirrored": _quarter(Image.Transpose.FLIP_LEFT_RIGHT),
    "dark": _dark,
    "warm light": _warm,
    "blurred": _blurred,
    "JPEG quality 20": lambda picture: pressed(picture, 20),
    "96 pixels": _small,
    "screenshot": _framed,
}
"""By name; the first is the measure of the others."""
