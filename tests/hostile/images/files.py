"""Files that pretend to be pictures, or are, and are meant to harm a decoder. Generated, with a seed."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

from PIL import Image

_SEED = 20_261_124


def hostile_files() -> dict[str, bytes]:
    """By name."""
    chance = random.Random(_SEED)
    whole = {name: _encoded(_scene(), name, **more) for name, more in _ENCODERS.items()}
    files: dict[str, bytes] = {"empty": b"", "one byte": b"\xff", "text": b"<html>no picture</html>"}
    for name, data in whole.items():
        files[f"{name}, half"] = data[: len(data) // 2]
        files[f"{name}, header alone"] = data[:40]
        files[f"{name}, without its end"] = data[:-8]
        damaged = bytearray(data)
        for _ in range(30):
            damaged[chance.randrange(20, len(data))] = chance.randrange(256)
        files[f"{name}, thirty wrong bytes"] = bytes(damaged)
        files[f"{name}, with an archive behind it"] = data + b"PK\x03\x04" + bytes(1000) + b"PK\x05\x06" + bytes(18)
    jpeg, gif = whole["JPEG"], whole["GIF"]
    files |= {
        "JPEG, CMYK": _encoded(_scene().convert("CMYK"), "JPEG"),
        "JPEG, progressive": _encoded(_scene(), "JPEG", progressive=True),
        "JPEG of 64,000 x 64,000 by its header": _jpeg_claiming(jpeg, 64_000, 64_000),
        "JPEG of no size": _jpeg_claiming(jpeg, 0, 0),
        "JPEG, ICC rubbish": _encoded(_scene(), "JPEG", icc_profile=chance.randbytes(5000)),
        "JPEG, EXIF rubbish": _encoded(_scene(), "JPEG", exif=b"Exif\0\0" + chance.randbytes(500)),
        "JPEG, EXIF that leads to itself": _encoded(_scene(), "JPEG", exif=_looping_exif()),
        "JPEG, a thousand comments": jpeg[:2] + b"\xff\xfe\x00\x04ab" * 1000 + jpeg[2:],
        "JPEG in a GIF's clothes": gif[:6] + jpeg,
        "PNG of 20,000 x 20,000 in 2 kB": png(20_000, 20_000, zlib.compress(bytes(10_000))),
        "PNG of 2^31 - 1 squared": png(2**31 - 1, 2**31 - 1, zlib.compress(b"")),
        "PNG of no size": png(0, 0, zlib.compress(b"")),
        "PNG of one row of 40,000,000": png(40_000_000, 1, zlib.compress(bytes(3 * 40_000_000 + 1))),
        "PNG of 25 million pixels in 80 kB": png(5000, 5000, zlib.compress(bytes(5000 * (3 * 5000 + 1)))),
        "PNG, its data too long": png(10, 10, zlib.compress(bytes(50_000_000))),
        "PNG, its data none": png(100, 100, b"rubbish"),
        "PNG, a text bomb": png(10, 10, zlib.compress(bytes(310)), _ztxt(100_000_000)),
        "PNG, an ICC bomb": png(10, 10, zlib.compress(bytes(310)), _iccp(100_000_000)),
        "PNG, 20,000 chunks": png(10, 10, zlib.compress(bytes(310)), *[(b"tEXt", b"a\0b")] * 20_000),
        "PNG, 16 bits": _encoded(Image.new("I;16", (300, 300), 40_000), "PNG"),
        "PNG, animated": _encoded(_scene(), "PNG", save_all=True, append_images=[_scene()] * 20),
        "GIF, animated": _encoded(_scene(), "GIF", save_all=True, append_images=[_scene()] * 50),
        "GIF, its frame larger than its screen": _gif_frame(gif, 60_000, 60_000),
        "GIF of no size": gif[:6] + bytes(4) + gif[10:],
        "WebP, animated": _encoded(_scene(), "WEBP", save_all=True, append_images=[_scene()] * 20),
        "WebP of 36 million pixels in 40 bytes": _flat("WEBP", 6000, lossless=True, method=0),
        "WebP that is longer than it says": whole["WEBP"][:4] + b"\xff\xff\xff\x7f" + whole["WEBP"][8:],
        "TIFF": _encoded(_scene(), "TIFF"),
        "TIFF that leads to itself": b"II*\0" + struct.pack("<IHHHIII", 8, 1, 256, 3, 1, 100, 8),
        "ICO": _encoded(_scene(), "ICO"),
        "BMP of 30,000 x 30,000": b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 30_000, 30_000, 1, 24, *[0] * 6),
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
    }
    return files


_ENCODERS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 80}, "PNG": {}, "WEBP": {}, "GIF": {}}


def _scene() -> Image.Image:
    return Image.radial_gradient("L").convert("RGB")


def _encoded(image: Image.Image, file_format: str, **more: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, file_format, **more)
    return out.getvalue()


def _flat(file_format: str, side: int, **more: Any) -> bytes:
    return _encoded(Image.new("RGB", (side, side), (90, 90, 90)), file_format, **more)


def png(width: int, height: int, data: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """8-bit RGB; `data`: compressed rows, true or not; `more`: chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), *more, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def _ztxt(size: int) -> tuple[bytes, bytes]:
    return b"zTXt", b"a\0\0" + zlib.compress(bytes(size))


def _iccp(size: int) -> tuple[bytes, bytes]:
    return b"iCCP", b"a\0\0" + zlib.compress(bytes(size))


def _jpeg_claiming(jpeg: bytes, width: int, height: int) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def _gif_frame(gif: bytes, width: int, height: int) -> bytes:
    at = gif.index(b",", 13) + 5
    return gif[:at] + struct.pack("<HH", width, height) + gif[at + 4 :]


def _looping_exif() -> bytes:
    """Its directory points to itself as the next one, and as its own Exif directory."""
    return b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 8, 8)
