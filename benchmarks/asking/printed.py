"""Are words on a thing read, and what does it cost? Words printed on the pictures of `apparel`, by their height.

    python -m benchmarks.asking.printed [--pictures N]

`read`: the share of the words that are read letter by letter, by the height of a line as a part of the picture's, and
by the longer side that the reader works on (`vision.words.reading`). `unprinted`: lines that are read in pictures of
clothes as they are, some of which have a print. `ms`: of one core, a picture. Needs `vitrine[ocr]`; skips, saying so,
where that or the data is absent.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from benchmarks.harness.result import rounded, write_result
from benchmarks.retrieval.catalogue import shared_data
from schemas.errors import OperatorError
from vision.pictures.decode import ImageLimits, decode_image
from vision.words.reading import SIDE, WordReader

SEED = 1
SIDES = (320, SIDE, 640)
HEIGHTS = (0.05, 0.03, 0.02)
WORDS = ("sunrise", "mountain", "ROCKET", "Vintage", "coffee", "OLYMPIC", "Harbour", "garden", "WINTER", "tiger")
COLOURS = ("white", "black", "gold", "red")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=40, help="of each kind")
    arguments = parser.parse_args()
    data = shared_data()
    if not (data / "apparel").is_dir() or not (data / "clothing").is_dir():
        print(f"skipped: {data} has no apparel and clothing (VITRINE_SHARED names the folder above data)")
        return 0
    draw = random.Random(SEED)
    files = {name: draw.sample(sorted((data / name / "images").iterdir()), arguments.pictures) for name in SETS}
    figures: dict[str, Any] = {}
    for side in SIDES:
        try:
            reader = WordReader(1, side)
        except OperatorError as error:
            print(f"skipped: {error}")
            return 0
        figures[str(side)] = _measured(reader, files)
    write_result("printed", {"pictures": arguments.pictures, "seed": SEED}, rounded(figures))
    return 0


SETS = ("apparel", "clothing")


def _measured(reader: WordReader, files: dict[str, list[Path]]) -> dict[str, Any]:
    limits = ImageLimits()
    draw = random.Random(SEED)
    read = dict.fromkeys(map(str, HEIGHTS), 0.0)
    reader.read(decode_image(files["apparel"][0].read_bytes(), limits))  # the first is compiled for its size
    began, pictures = time.process_time(), 0
    for file in files["apparel"]:
        for height in HEIGHTS:
            words = draw.sample(WORDS, 2)
            shown = decode_image(_printed(file, words, height, draw.choice(COLOURS)), limits)
            lines = " ".join(reader.read(shown)).split()
            read[str(height)] += sum(word in lines for word in words) / len(words) / len(files["apparel"])
            pictures += 1
    unprinted = {}
    for name, each in files.items():
        unprinted[name] = sum(bool(reader.read(decode_image(file.read_bytes(), limits))) for file in each) / len(each)
        pictures += len(each)
    return {"read": read, "unprinted": unprinted, "ms": (time.process_time() - began) * 1000 / pictures}


def _printed(file: Path, words: list[str], height: float, colour: str) -> bytes:
    """The picture with the words on its middle, one below the other, on a patch of another colour."""
    picture = Image.open(file).convert("RGB")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(height * picture.height)
    left, top = picture.width * 0.35, picture.height * 0.4
    wide = max(draw.textlength(word, font=font) for word in words)
    patch = "navy" if colour != "black" else "silver"
    draw.rectangle((left - 8, top - 8, left + wide + 8, top + 2.6 * height * picture.height), fill=patch)
    for number, word in enumerate(words):
        draw.text((left, top + 1.25 * number * height * picture.height), word, fill=colour, font=font)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=90)
    return data.getvalue()


if __name__ == "__main__":
    sys.exit(main())
