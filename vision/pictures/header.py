"""What a picture file says of itself, read before anything of it is decoded.

A few bytes can ask for gigabytes of pixels, and a few megabytes of metadata
for minutes of parsing: what is read here decides whether a decoder sees the
file at all, and what of it. Every function takes a bounded number of steps,
whatever the bytes are. Formats: JPEG (ITU T.81), PNG (W3C), GIF89a, WebP
(RFC 9649), and of Exif (TIFF 6.0) the orientation alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from schemas.errors import RejectedError

Format = Literal["JPEG", "PNG", "GIF", "WEBP"]

MOST_SEGMENTS = 300
"""Of a JPEG before its first scan. A 10 MB file full of metadata has 160."""
MOST_SCANS = 64
"""Of a progressive JPEG; encoders write about ten. Each is a pass over the whole picture, and may be ten bytes long."""
MOST_CHUNKS = 20_000
"""Of a PNG. Encoders write 8 KB and more into one."""
MOST_BLOCKS = 5_000
"""Of a GIF before its first frame: comments, profiles, 255 bytes each."""
_MOST_TAGS = 1_000
_PROGRESSIVE_COST = 3
_WHOLE_COST = 6


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """Width and height as they are coded, before a JPEG is scaled down or anything is turned upright.

    `streamed`: a JPEG that is decoded row by row. A progressive one, or one
    with a scan per colour, is held in memory as a whole, at full size.
    """

    format: Format
    width: int
    height: int
    streamed: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def cost(self) -> int:
        """What decoding takes at most, in pixels of an ordinary JPEG (measured: 1 s for about a hundred million)."""
        if self.format != "JPEG":
            return self.pixels * _WHOLE_COST
        return self.pixels if self.streamed else self.pixels * _PROGRESSIVE_COST


@dataclass(frozen=True, slots=True)
class DecodableFile:
    """What a decoder sees of a file. `exif`, `xmp`: a JPEG's metadata, which is taken out of it."""

    data: bytes
    exif: bytes = b""
    xmp: bytes = b""


def read_header(data: bytes) -> PictureHeader:
    """Raises `RejectedError`: `image_format`, `image_broken` or `image_too_complex`."""
    kind = format_of(data)
    match kind:
        case "JPEG":
            header = _Jpeg(data).header
        case "PNG":
            header = PictureHeader("PNG", _u32(data, 16), _u32(data, 20)) if data[12:16] == b"IHDR" else None
        case "GIF":
            header = PictureHeader("GIF", _u16_le(data, 6), _u16_le(data, 8))
        case "WEBP":
            header = _webp(data)
        case None:
            raise RejectedError("image_format", "neither JPEG, PNG, WebP nor GIF; convert it to one of them")
    if header is None or header.pixels == 0:
        raise RejectedError("image_broken", f"a {kind} without a size; save the picture anew")
    return header


def decodable(data: bytes, kind: Format) -> DecodableFile:
    """What a decoder may see of a file of that kind; `read_header` has accepted it.

    A JPEG comes without its metadata, which Pillow would parse when it opens
    the file. Raises `RejectedError('image_too_complex', ...)` for files of
    more pieces than any camera or program writes.
    """
    if kind == "JPEG":
        jpeg = _Jpeg(data)
        return DecodableFile(jpeg.without_metadata(), jpeg.exif, jpeg.xmp)
    if kind == "PNG":
        _count(_png_chunks(data), MOST_CHUNKS, "chunks")
    elif kind == "GIF":
        _count(_gif_blocks(data), MOST_BLOCKS, "blocks before the first frame")
    return DecodableFile(data)


def format_of(data: bytes) -> Format | None:
    """By the first bytes, never by a name."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return None


def orientation_of(exif: bytes, xmp: bytes) -> int:
    """How the camera was held, 1 to 8 as in Exif; 1 where neither says so in a way that can be read.

    Reads that one entry. A general parser would follow each of 65,535 entries
    to megabytes of data that they may share.
    """
    found = _tiff_orientation(exif.removeprefix(b"Exif\0\0"))
    if found is None and (match := _XMP_ORIENTATION.search(xmp)):
        found = int(match[1])
    return found if found is not None and 1 <= found <= 8 else 1


_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def _tiff_orientation(tiff: bytes) -> int | None:
    order: Literal["little", "big"]
    if tiff.startswith(b"II"):
        order = "little"
    elif tiff.startswith(b"MM"):
        order = "big"
    else:
        return None
    first = int.from_bytes(tiff[4:8], order)
    count = int.from_bytes(tiff[first : first + 2], order)
    for entry in range(first + 2, min(first + 2 + 12 * min(count, _MOST_TAGS), len(tiff) - 11), 12):
        if int.from_bytes(tiff[entry : entry + 2], order) == 0x0112:
            return int.from_bytes(tiff[entry + 8 : entry + 10], order)
    return None


class _Jpeg:
    """Segments of a JPEG up to its first scan, found as libjpeg finds them: what stands between them is skipped."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._kept: list[bytes] = [b"\xff\xd8"]
        self.exif = b""
        self.xmp = b""
        self.header: PictureHeader | None = None
        size: tuple[int, int] | None = None
        self._scans = len(data)
        position = 2
        for _ in range(MOST_SEGMENTS):
            position = data.find(b"\xff", position)
            if position < 0:
                return
            fill = _FILL.match(data, position)  # in one jump: it may be megabytes long
            position = position if fill is None else fill.end() - 1
            marker = data[position + 1] if position + 1 < len(data) else 0xD9
            if marker == 0xD9:
                return
            if marker in _WITHOUT_LENGTH:
                position += 2
                continue
            length = _u16(data, position + 2)
            segment = data[position : position + 2 + length]
            if marker in _SIZES:
                if size is not None:
                    raise RejectedError("image_broken", "a JPEG that states its size twice; save the picture anew")
                size = (_u16(data, position + 7), _u16(data, position + 5))
                kind, colours = marker, segment[9:10]
            if marker == 0xDA:
                if size is not None:
                    streamed = kind in (0xC0, 0xC1) and segment[4:5] == colours
                    self._check_scans(position, streamed)
                    self.header = PictureHeader("JPEG", *size, streamed=streamed)
                    self._scans = position
                return
            self._sort(marker, segment)
            position += 2 + max(length, 2)
        raise _too_complex(MOST_SEGMENTS, "segments before the picture")

    def without_metadata(self) -> bytes:
        return b"".join(self._kept) + self._data[self._scans :]

    def _sort(self, marker: int, segment: bytes) -> None:
        # JFIF (E0) and Adobe (EE) say how colours are coded; the other applications' segments and comments do not.
        if marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            self._kept.append(segment)
        elif marker == 0xE1:
            body = segment[4:]
            if not self.exif and body.startswith(b"Exif\0\0"):
                self.exif = body
            elif not self.xmp and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
                self.xmp = body

    def _check_scans(self, position: int, streamed: bool) -> None:
        if not streamed and self._data.count(b"\xff\xda", position) > MOST_SCANS:
            raise _too_complex(MOST_SCANS, "scans")


_FILL = re.compile(rb"\xff+")
_WITHOUT_LENGTH = frozenset((0x00, 0x01, 0xD8, *range(0xD0, 0xD8)))
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _png_chunks(data: bytes) -> Iterator[None]:
    position = 8
    while position + 8 <= len(data):
        yield
        position += 12 + _u32(data, position)


def _gif_blocks(data: bytes) -> Iterator[None]:
    position = 13
    if data[10] & 0x80:
        position += 3 << ((data[10] & 7) + 1)
    while position < len(data) and data[position] not in (0x2C, 0x3B):
        yield
        if data[position] != 0x21:
            position += 1
            continue
        position += 2
        while position < len(data) and data[position]:
            yield
            position += 1 + data[position]
        position += 1


def _webp(data: bytes) -> PictureHeader | None:
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return PictureHeader("WEBP", _u24_le(data, 24) + 1, _u24_le(data, 27) + 1)
    if kind == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return PictureHeader("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and len(data) >= 30:
        return PictureHeader("WEBP", _u16_le(data, 26) & 0x3FFF, _u16_le(data, 28) & 0x3FFF)
    return None


def _count(pieces: Iterator[None], most: int, what: str) -> None:
    if sum(1 for _ in islice(pieces, most + 1)) > most:
        raise _too_complex(most, what)


def _too_complex(most: int, what: str) -> RejectedError:
    return RejectedError("image_too_complex", f"more than {most} {what}; save the picture anew with another program")


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _u16_le(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _u24_le(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")
