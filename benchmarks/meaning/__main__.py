"""Do words that no title has find the right products by their look? On two real catalogues.

    python -m benchmarks.meaning

- apparel: questions made of what products have (kind, colour, wearer), in the catalogue's own words, in words of its
  titles, and in words that it does not have; by keyword, by learned meaning, fused, and with a photo.
- clothing: kinds of garments, by their labels and by other words.

Exact search; maps never saw what they are asked for. `learned_alone`: without what is known beforehand
(`vision.known_looks`). Skips, saying so, where the data or the text encoder is absent.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.harness.result import rounded, write_result
from benchmarks.harness.system import COMPOSITE
from benchmarks.meaning import apparel, clothing
from benchmarks.meaning.vectors import Remembering
from benchmarks.retrieval.catalogue import shared_data
from indexing.meaning.fitting import Known
from indexing.meaning.map import encode_map
from schemas.errors import OperatorError
from vision.embedder import create_embedder
from vision.environment import MALLOC_ENV
from vision.known_looks import known_looks
from vision.text.encoder import TextEncoder, create_text_encoder, describe_text_encoder


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    data = shared_data()
    if not (data / "apparel").is_dir() or not (data / "clothing").is_dir():
        print(f"skipped: {data} has no apparel and clothing (VITRINE_SHARED names the folder above data)")
        return 0
    try:
        describe_text_encoder()
    except OperatorError as error:
        print(f"skipped: {error}")
        return 0
    if any(name not in os.environ for name in MALLOC_ENV):
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.meaning", *sys.argv[1:]], os.environ | MALLOC_ENV)
    encoder: TextEncoder = create_text_encoder()
    times = encode_times(encoder)
    encoder = Remembering(encoder)
    took: dict[str, float] = {}
    with timed(took, "known_looks_s"):
        looks = known_looks(create_embedder(COMPOSITE, threads=1), COMPOSITE)
    with timed(took, "known_texts_s"):
        known = Known(encoder.encode(looks.names), looks.directions)
    figures: dict[str, object] = {"encoder": times}
    for name, beforehand in (("learned_alone", None), ("with_known_looks", known)):
        with timed(took, f"apparel_{name}_s"):
            shop = apparel.Apparel(data / "apparel", encoder, beforehand)
        everything = shop.all
        figures[name] = {
            "apparel_map": {
                **everything.settings,
                "used": everything.used,
                "held": everything.held.figures(),
                "by_chance": everything.by_chance.figures(),
                "bytes": len(encode_map(everything.map)),
            },
            "apparel_words": apparel.by_words(shop),
            "apparel_photo_and_words": apparel.by_photo(shop),
            "clothing": clothing.by_label(data / "clothing", encoder, beforehand),
        }
    parameters = {"text_encoder": encoder.text_encoder_id, "folds": apparel.FOLDS, "seed": apparel.SEED}
    write_result("meaning", parameters, rounded(figures | {"took": took}))
    return 0


def encode_times(encoder: TextEncoder) -> dict[str, float]:
    """Milliseconds of one thread for a text, the median of many."""
    figures = {}
    for words in (2, 14, 62):
        text = " ".join(["red"] * words)
        encoder.encode([text])
        times = []
        for _ in range(50):
            began = time.perf_counter()
            encoder.encode([text])
            times.append(time.perf_counter() - began)
        figures[f"pieces_{words + 2}_ms"] = sorted(times)[25] * 1000
    return figures


@contextmanager
def timed(took: dict[str, float], name: str) -> Iterator[None]:
    """Adds the seconds of the block under a name."""
    began = time.perf_counter()
    yield
    took[name] = time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
