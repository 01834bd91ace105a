"""Image bytes to RGB pixels, within limits, whatever the bytes are.

Catalogue pictures and shoppers' photos come from anywhere: every refusal is a
`RejectedError` with a stable reason, and size is checked on the header, before
any pixel is decoded (decompression bombs cost nothing).
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from schemas.errors import RejectedError

warnings.filterwarnings("ignore", module=r"PIL\.")  # remarks on odd files; what matters is raised

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_DRAFT_SIDE = 640
"""JPEGs are decoded at 1/2, 1/4 or 1/8 of their size as long as both sides keep this many pixels: encoders see 260."""

# What Pillow's readers raise on broken files, beside UnidentifiedImageError (an OSError).
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    AssertionError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    Warning,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Largest file in bytes and largest picture in pixels (width times height)."""

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000


def decode_image(data: bytes, limits: ImageLimits) -> Image.Image:
    """The picture as upright RGB on white, first frame of an animation; JPEGs possibly scaled down.

    Reads JPEG, PNG, WebP and GIF in any colour mode. Thread-safe; Pillow's
    codecs release the GIL. Raises `RejectedError` with reason `image_empty`,
    `image_too_large`, `image_too_many_pixels`, `image_format` (none of the
    four) or `image_broken` (truncated or damaged), and nothing else.
    """
    if not data:
        raise RejectedError("image_empty", "the file has no bytes; upload it again")
    if len(data) > limits.max_bytes:
        raise RejectedError("image_too_large", f"{len(data)} bytes, at most {limits.max_bytes} are taken")
    try:
        return _decode(data, limits)
    except UnidentifiedImageError as error:
        raise RejectedError("image_format", "neither JPEG, PNG, WebP nor GIF; convert it to one of them") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RejectedError("image_too_many_pixels", str(error)) from error
    except _BROKEN as error:
        raise RejectedError("image_broken", f"{type(error).__name__}: {error}"[:300]) from error


def held_pixels(data: bytes) -> int:
    """How many pixels `decode_image` holds at full size, about; 0 where the header does not say.

    A JPEG that is read row by row is scaled down on the way, and holds few.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            pixels = image.width * image.height
            return pixels // 16 if image.format == "JPEG" and not image.info.get("progressive") else pixels
    except (*_BROKEN, Image.DecompressionBombError):
        return 0


def _decode(data: bytes, limits: ImageLimits) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > limits.max_pixels:
            raise RejectedError(
                "image_too_many_pixels", f"{width} x {height} pixels, at most {limits.max_pixels} in all are taken"
            )
        image.draft("RGB", (_DRAFT_SIDE, _DRAFT_SIDE))  # does something for JPEGs only, and never enlarges
        image.load()
        upright = _ORIENTATION.get(_orientation(image))
        rgb = _rgb_on_white(image)
        return rgb if upright is None else rgb.transpose(upright)


_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _BROKEN:
        return 1  # metadata beyond repair is no reason to refuse a picture whose pixels are whole
    return value if isinstance(value, int) else 1


def _rgb_on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image.copy()
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        rgb = Image.new("RGB", rgba.size, (255, 255, 255))
        rgb.paste(rgba, mask=rgba.getchannel("A"))
        return rgb
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey (Pillow's `convert` would cut it off at 255 instead of scaling it)."""
    return Image.fromarray((np.asarray(image).astype(np.uint32).clip(0, 65535) >> 8).astype(np.uint8))
