"""Image bytes to RGB pixels, within limits, whatever the bytes are.

Catalogue pictures and shoppers' photos come from anywhere: every refusal is a
`RejectedError` with a stable reason. Size and structure are checked by
`vision.pictures.header` before Pillow sees the file (decompression bombs cost
nothing), and of metadata Pillow parses none.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from schemas.errors import RejectedError
from vision.pictures.header import PictureHeader, decodable, orientation_of, read_header

Image.MAX_IMAGE_PIXELS = None  # ours are the limits, and they are checked before Pillow sees the file
warnings.filterwarnings("ignore", module=r"PIL\.")  # remarks on odd files; what matters is raised

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
    """Largest file in bytes and largest pictures in pixels (width times height).

    `max_pixels`: what may be decoded, after a JPEG was scaled down; a JPEG that
    must be held as a whole (progressive) may have twice as many.
    `max_jpeg_pixels`: of a JPEG that is scaled down while it is read row by
    row; 0: `max_pixels`. `halve`: other pictures are brought to the size that
    a JPEG of theirs would have come in, right after decoding.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    max_jpeg_pixels: int = 0
    halve: bool = False


def checked_header(data: bytes, limits: ImageLimits) -> PictureHeader:
    """The header of a file that may be decoded. Costs no more than reading it. Raises `RejectedError`.

    Reasons: `image_empty`, `image_too_large`, `image_too_many_pixels`, `image_too_complex`, `image_format` and
    `image_broken`.
    """
    if not data:
        raise RejectedError("image_empty", "the file has no bytes; upload it again")
    if len(data) > limits.max_bytes:
        raise RejectedError("image_too_large", f"{len(data)} bytes, at most {limits.max_bytes} are taken")
    header = read_header(data)
    most = limits.max_pixels
    if header.format == "JPEG" and limits.max_jpeg_pixels:
        most = limits.max_jpeg_pixels if header.streamed else min(2 * limits.max_pixels, limits.max_jpeg_pixels)
    _check_pixels((header.width, header.height), most)
    return header


def decode_image(data: bytes, limits: ImageLimits) -> Image.Image:
    """The picture as upright RGB on white, first frame of an animation; JPEGs possibly scaled down.

    Reads JPEG, PNG, WebP and GIF in any colour mode. Thread-safe; Pillow's
    codecs release the GIL. Raises `RejectedError` with reason `image_empty`,
    `image_too_large`, `image_too_many_pixels`, `image_too_complex` (of more
    pieces than any program writes), `image_format` (none of the four) or
    `image_broken` (truncated or damaged), and nothing else.
    """
    header = checked_header(data, limits)
    try:
        return _decode(data, header, limits)
    except UnidentifiedImageError as error:
        raise RejectedError("image_format", "neither JPEG, PNG, WebP nor GIF; convert it to one of them") from error
    except _BROKEN as error:
        raise RejectedError("image_broken", f"{type(error).__name__}: {error}"[:300]) from error


def held_pixels(data: bytes) -> int:
    """How many pixels `decode_image` holds at full size, about; 0 where the header does not say.

    A JPEG that is read row by row is scaled down on the way, and holds few.
    """
    try:
        header = read_header(data)
    except RejectedError:
        return 0
    return header.pixels // 16 if header.streamed else header.pixels


def _decode(data: bytes, header: PictureHeader, limits: ImageLimits) -> Image.Image:
    file = decodable(data, header.format)
    with Image.open(io.BytesIO(file.data), formats=(header.format,)) as image:
        image.draft("RGB", (_DRAFT_SIDE, _DRAFT_SIDE))  # does something for JPEGs only, and never enlarges
        # Once more: a JPEG may be long and narrow, a GIF's frame larger than its header says.
        _check_pixels(image.size, limits.max_pixels)
        image.load()
        exif, xmp = (file.exif, file.xmp) if header.format == "JPEG" else _metadata(image)
        upright = _ORIENTATION.get(orientation_of(exif, xmp))
        rgb = _rgb_on_white(image)
        if limits.halve and header.format != "JPEG":
            rgb = _halved(rgb)
        return rgb if upright is None else rgb.transpose(upright)


def _check_pixels(size: tuple[int, int], most: int) -> None:
    width, height = size
    if width * height > most:
        raise RejectedError(
            "image_too_many_pixels", f"{width} x {height} pixels, at most {most} in all are taken; send a smaller one"
        )


def _metadata(image: Image.Image) -> tuple[bytes, bytes]:
    """Exif and XMP of a PNG or WebP, as bytes."""
    exif, xmp = image.info.get("exif", b""), image.info.get("xmp", b"")
    if not exif and isinstance(raw := image.info.get("Raw profile type exif"), str):  # as ImageMagick writes it
        try:
            exif = bytes.fromhex("".join(raw.split("\n")[3:]))
        except ValueError:
            exif = b""  # metadata beyond repair is no reason to refuse a picture whose pixels are whole
    if not xmp and isinstance(text := image.info.get("XML:com.adobe.xmp"), str):
        xmp = text.encode("utf-8", "replace")
    return (exif if isinstance(exif, bytes) else b""), (xmp if isinstance(xmp, bytes) else b"")


def _halved(image: Image.Image) -> Image.Image:
    """At 1/2, 1/4 or 1/8 of its size, under the same rule as a JPEG."""
    for factor in (8, 4, 2):
        if min(image.size) >= factor * _DRAFT_SIDE:
            return image.reduce(factor)
    return image


_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
