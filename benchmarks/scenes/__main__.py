"""Is the product found that stands among others in a photo?

    python -m benchmarks.scenes [--encoder NAME] [--scenes 200] [--kinds drawn photographs alone] [--detector]

Scenes are drawn by a seed (`drawing.py`) from the questions of `apparel`: a studio picture of another view of a
product, without its white, beside one to three other products, on drawn backgrounds and over photographs of
`clothing`. Is that very product first (@1)

- `alone`: asked with the studio picture itself;
- `whole`: with the whole scene;
- `true_box`: with the box in which it was put;
- `found_box`: with the found box that fits it best: the shopper's click;
- `best_box`: with what is searched when nobody clicks?

And what looking for items costs those who photograph one thing alone: the questions of both catalogues, asked whole,
and as the service asks them. With `--detector`, which must be there, it looks for items as well, as the setting
`query_detector` has it. Exact search. Skips, saying so, where the data is absent.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import rounded, write_result
from benchmarks.harness.system import COMPOSITE
from benchmarks.retrieval.catalogue import Catalogue, lines, shared_data
from benchmarks.scenes.drawing import DRAWN, Scene, cut_out, drawn_scene
from schemas.query.box import WHOLE, Box
from vision.detector.detecting import Detector
from vision.embedder import Embedder, create_embedder
from vision.items.cutting import cut, encoded
from vision.items.detected import LEAST_SCORE, with_detected
from vision.items.finding import Item, find_items, searched_box
from vision.pictures.decode import ImageLimits, decode_image

KINDS = ("drawn", "photographs", "alone")
SEED = 1
_BATCH = 16
_FOUND = 0.5
"""Overlap from which on a box counts as that of the item."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default=COMPOSITE, help="by name, of one whose features are searched as they are")
    parser.add_argument("--scenes", type=int, default=238, help="of each kind, at most")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="what to measure")
    parser.add_argument("--detector", action="store_true", help="the detector looks as well")
    parser.add_argument("--name", default="scenes", help="of the result")
    arguments = parser.parse_args()
    data = shared_data()
    if not (data / "apparel").is_dir() or not (data / "clothing").is_dir():
        print(f"skipped: {data} has no apparel and clothing (VITRINE_SHARED names the folder above data)")
        return 0
    embedder = create_embedder(arguments.encoder, threads=1)
    apparel = Catalogue(data / "apparel", "product_id")
    apparel.embed(embedder)
    detector = Detector() if arguments.detector else None
    figures: dict[str, Any] = {}
    for kind in arguments.kinds:
        if kind == "alone":
            clothing = Catalogue(data / "clothing", "category")
            clothing.embed(embedder)
            figures[kind] = {"apparel": untroubled(apparel, embedder), "clothing": untroubled(clothing, embedder)}
        else:
            behind = DRAWN if kind == "drawn" else _photographs(data / "clothing")
            figures[kind] = in_scenes(apparel, embedder, behind, arguments.scenes, detector)
        # After each, because they take minutes.
        write_result(arguments.name, vars(arguments), rounded(figures))
    return 0


def _photographs(folder: Path) -> list[Path]:
    return [folder / question["image"] for question in lines(folder / "queries.jsonl")]


def in_scenes(
    catalogue: Catalogue, embedder: Embedder, behind: Sequence[str | Path], most: int, detector: Detector | None
) -> dict[str, Any]:
    """Of questions whose item can be cut out, each in one scene."""
    random = Random(SEED)
    others = [(answer, item) for answer, item in _items(catalogue, range(catalogue.size)) if item is not None]
    asked: list[int] = []
    scenes: list[Scene] = []
    items: list[list[Item]] = []
    best: list[Box] = []
    seconds = 0.0
    for number, (answer, item) in enumerate(_items(catalogue, range(catalogue.size, len(catalogue.files)))):
        if item is None or len(asked) == most:
            continue
        chosen = [other for wrong, other in random.sample(others, 8) if wrong != answer][: random.randint(1, 3)]
        scene = drawn_scene(item, chosen, random.choice(behind), random)
        began = time.process_time()
        found = find_items(scene.image)
        best.append(searched_box(scene.image, found))
        if detector is not None:
            found = with_detected(found, detector.detect(scene.image, LEAST_SCORE))
        items.append(found)
        seconds += time.process_time() - began
        asked.append(catalogue.size + number)
        scenes.append(scene)
    fitting = [max((each.box for each in found), key=scene.box.overlap, default=WHOLE)
               for scene, found in zip(scenes, items, strict=True)]  # fmt: skip
    searched = {
        "whole": [WHOLE] * len(scenes),
        "true_box": [scene.box for scene in scenes],
        "found_box": fitting,
        "best_box": best,
    }
    share = {"alone": found_first(catalogue, asked, catalogue.vectors[asked])}
    for name, boxes in searched.items():
        share[name] = found_first(catalogue, asked, _vectors(scenes, boxes, embedder))
    return {
        "scenes": len(scenes),
        "product_at_1": share,
        "of_alone": {name: share[name] / share["alone"] for name in searched},
        "item_found": _mean([scene.box.overlap(box) > _FOUND for scene, box in zip(scenes, fitting, strict=True)]),
        "item_best": _mean([scene.box.overlap(box) > _FOUND for scene, box in zip(scenes, best, strict=True)]),
        "others_found": _others(scenes, items),
        "items_a_scene": _mean([len(found) for found in items]),
        "find_ms": 1000 * seconds / len(scenes),
    }


def untroubled(catalogue: Catalogue, embedder: Embedder) -> dict[str, Any]:
    """Questions that show one thing alone: by all of it, and as it is asked by default."""
    asked = list(range(catalogue.size, len(catalogue.files)))
    vectors = catalogue.vectors[asked].copy()
    limits = ImageLimits()
    moved = 0
    for row, number in enumerate(asked):
        image = decode_image(catalogue.files[number].read_bytes(), limits)
        box = searched_box(image, find_items(image))
        if box != WHOLE:
            moved += 1
            vectors[row] = embedder.embed([embedder.prepare(encoded(cut(image, box)), limits)])[0]
    return {
        "whole_at_1": found_first(catalogue, asked, catalogue.vectors[asked]),
        "default_at_1": found_first(catalogue, asked, vectors),
        "not_searched_whole": moved / len(asked),
    }


def found_first(catalogue: Catalogue, asked: Sequence[int], vectors: NDArray[np.float32]) -> float:
    """Share of questions whose answer is first."""
    best = np.argmax(vectors @ catalogue.vectors[: catalogue.size].T, axis=1)
    return _mean(
        [catalogue.answers[image] == catalogue.answers[number] for image, number in zip(best, asked, strict=True)]
    )


def _items(catalogue: Catalogue, numbers: range) -> list[tuple[str, Any]]:
    return [(catalogue.answers[number], cut_out(catalogue.files[number])) for number in numbers]


def _vectors(scenes: Sequence[Scene], boxes: Sequence[Box], embedder: Embedder) -> NDArray[np.float32]:
    """As the service makes them: what is cut out is a photo of its own."""
    limits = ImageLimits()
    shown = [scene.image if box == WHOLE else cut(scene.image, box) for scene, box in zip(scenes, boxes, strict=True)]
    inputs = [embedder.prepare(encoded(image), limits) for image in shown]
    return np.concatenate([embedder.embed(inputs[first : first + _BATCH]) for first in range(0, len(inputs), _BATCH)])


def _others(scenes: Sequence[Scene], items: Sequence[Sequence[Item]]) -> float:
    return _mean([
        any(other.overlap(item.box) > _FOUND for item in found)
        for scene, found in zip(scenes, items, strict=True)
        for other in scene.others
    ])  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


if __name__ == "__main__":
    sys.exit(main())
