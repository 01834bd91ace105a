"""Files of a few bytes that ask for much, each made here: nobody's photo."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def webp_of(width: int, height: int) -> bytes:
    """34 bytes: a lossless WebP of one colour."""
    bits = 0x2F | (width - 1) << 8 | (height - 1) << 22
    data = bits.to_bytes(5, "little") + bytes.fromhex("0710111188880801")[:8]
    return b"RIFF" + struct.pack("<I", 12 + len(data)) + b"WEBPVP8L" + struct.pack("<I", len(data)) + data + bytes(1)


def webp_canvas(width: int, height: int) -> bytes:
    """An animation whose canvas alone would be gigabytes; Pillow allocates it when it opens the file."""
    frame = saved(Image.new("RGB", (8, 8)), "WEBP", lossless=True)[12:]
    canvas = bytes((2, 0, 0, 0)) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    shown = bytes(6) + (7).to_bytes(3, "little") * 2 + bytes(4) + frame
    chunks = _riff(b"VP8X", canvas) + _riff(b"ANIM", bytes(6)) + _riff(b"ANMF", shown)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def _riff(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int) -> bytes:
    """A header, and not a pixel."""
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def png_with(chunks: bytes) -> bytes:
    """A small picture with `chunks` behind its header."""
    whole = saved(Image.new("RGB", (50, 50)), "PNG")
    return whole[:33] + chunks + whole[33:]


def gif_of(width: int, height: int) -> bytes:
    return saved(Image.new("P", (8, 8)), "GIF").replace(struct.pack("<HH", 8, 8), struct.pack("<HH", width, height), 1)


def gif_with_comments(number: int) -> bytes:
    whole = saved(Image.new("P", (8, 8)), "GIF")
    first = 13 + (3 << ((whole[10] & 7) + 1) if whole[10] & 0x80 else 0)
    return whole[:first] + b"\x21\xfe\x01A\x00" * number + whole[first:]


def jpeg_of_scans(number: int, size: tuple[int, int] = (640, 640)) -> bytes:
    """A progressive JPEG whose last scan comes again and again: each a pass over the whole picture."""
    whole = saved(Image.new("RGB", size, (90, 90, 9)), "JPEG", progressive=True)
    last = whole.rfind(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * number + b"\xff\xd9"


def jpeg_with_segments(number: int, marker: int = 0xE7) -> bytes:
    whole = saved(Image.new("RGB", (50, 50)), "JPEG")
    return whole[:2] + bytes((0xFF, marker, 0, 2)) * number + whole[2:]


def exif_of_tags(number: int, size: int) -> bytes:
    """Entries that all point to the same `size` bytes; the orientation (6) is the last of them."""
    after = 8 + 2 + 12 * number + 4
    tags = b"".join(struct.pack("<HHII", tag, 7, size, after) for tag in range(0x0112 - number + 1, 0x0112))
    tags += struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, number) + tags + struct.pack("<I", 0) + bytes(size)


def jpeg_with_exif(exif: bytes, image: Image.Image) -> bytes:
    whole = saved(image, "JPEG", quality=95)
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + whole[2:]
