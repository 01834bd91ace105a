"""Pictures that differ enough for the network to tell them apart, drawn from a number."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def picture(number: int, size: int = 128) -> bytes:
    """A JPEG of coloured blocks; equal numbers, equal bytes."""
    blocks = np.random.default_rng(number).integers(0, 255, (5, 5, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(blocks).resize((size, size), Image.Resampling.NEAREST).save(out, "JPEG", quality=90)
    return out.getvalue()


def write_pictures(folder: Path, numbers: range) -> list[str]:
    """One file a number; their file URLs."""
    folder.mkdir(parents=True, exist_ok=True)
    urls = []
    for number in numbers:
        file = folder / f"{number}.jpg"
        file.write_bytes(picture(number))
        urls.append(file.as_uri())
    return urls
