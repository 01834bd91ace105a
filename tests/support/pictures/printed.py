"""Pictures with words on them, drawn."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFont


def printed(*lines: str, side: int = 500) -> bytes:
    """A PNG of a blue thing on white with these lines on it."""
    picture = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((side // 8, side // 8, side * 7 // 8, side * 7 // 8), fill=(30, 60, 150))
    font = ImageFont.load_default(side // 10)
    for number, line in enumerate(lines):
        draw.text((side // 5, side // 4 + number * side // 6), line, fill="white", font=font)
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()
