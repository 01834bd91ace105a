"""Is a person seen where there is one, and none where there is none? The pictures of `apparel` and of `clothing`.

    make bench-seen

People wear what `apparel` sells (but for two bags, which count as missed); what `clothing` shows lies or hangs there.
The products of the one and the pictures of the other are halved. `chosen`: the least of the scores in `SCORES` from
which on at most `MOST_WRONG` of one half's clothes are taken for a person. `seen` and `wrong`: the shares of both in
either half, from that score on and from every other. `ms`: of one core, a picture, decoded. Takes `make detector`;
skips, saying so, where that or the data is absent.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.result import rounded, write_result
from benchmarks.retrieval.catalogue import lines, shared_data
from schemas.errors import OperatorError
from schemas.features.objects import LEAST_SCORES
from vision.detector.detecting import Detector
from vision.pictures.decode import ImageLimits, decode_image

PERSON = "person"
SCORES = (0.5, 0.6, 0.65, 0.7, 0.72, 0.75, 0.77, 0.8, 0.82, 0.85)
MOST_WRONG = 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=8, help="one in so many pictures of clothing")
    arguments = parser.parse_args()
    data = shared_data()
    if not (data / "apparel").is_dir() or not (data / "clothing").is_dir():
        print(f"skipped: {data} has no apparel and clothing (VITRINE_SHARED names the folder above data)")
        return 0
    try:
        detector = Detector(1)
    except OperatorError as error:
        print(f"skipped: {error}")
        return 0
    worn, bare = _worn(data / "apparel"), _halved(sorted((data / "clothing" / "images").iterdir())[:: arguments.step])
    began = time.process_time()
    scores = [([_score(detector, file) for file in each[0]], [_score(detector, file) for file in each[1]])
              for each in zip(worn, bare, strict=True)]  # fmt: skip
    pictures = sum(len(seen) + len(wrong) for seen, wrong in scores)
    ms = (time.process_time() - began) * 1000 / pictures
    chosen = next(least for least in SCORES if _share(scores[0][1], least) <= MOST_WRONG)
    figures: dict[str, Any] = {"chosen": chosen, "told_from": LEAST_SCORES[PERSON], "pictures": pictures, "ms": ms}
    for name, (seen, wrong) in zip(("chosen_by", "others"), scores, strict=True):
        figures[name] = {
            "worn": len(seen), "bare": len(wrong), "seen": _share(seen, chosen), "wrong": _share(wrong, chosen),
            "by_score": {str(least): [_share(seen, least), _share(wrong, least)] for least in SCORES},
        }  # fmt: skip
    write_result("seen", {"step": arguments.step}, rounded(figures))
    return 0


def _worn(folder: Path) -> tuple[list[Path], list[Path]]:
    """Pictures by halves of the products, in the order of their ids."""
    files: dict[str, list[Path]] = {}
    for line in (*lines(folder / "products.jsonl"), *lines(folder / "queries.jsonl")):
        files.setdefault(line["product_id"], []).extend(folder / name for name in line.get("images") or [line["image"]])
    one, other = _halved(sorted(files))
    return [file for each in one for file in files[each]], [file for each in other for file in files[each]]


def _halved(each: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    return [*each[::2]], [*each[1::2]]


def _score(detector: Detector, file: Path) -> float:
    """Of the surest person."""
    found = detector.named(decode_image(file.read_bytes(), ImageLimits()), SCORES[0])
    return max((score for name, score in found if name == PERSON), default=0.0)


def _share(scores: Sequence[float], least: float) -> float:
    return sum(score >= least for score in scores) / len(scores)


if __name__ == "__main__":
    sys.exit(main())
