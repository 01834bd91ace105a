"""Are the colours that a picture's features tell those that the shop gives? On the catalogue `apparel`.

    python -m benchmarks.colours [--write]

A shop's colour is one word for the garment that is sold; its pictures show a person who wears more than that. `named`:
how often the shop's is among the colours told, and how many those are; `main`: how often a picture is said to be of
one colour, and how often that is the shop's. `pink_as_red`: the same where a pink that the shop calls red (it calls
nothing pink) is right as well. The percentages in `schemas.features.colours.told`, and what is taken for skin, were
chosen by the pictures of `chosen_by`, half of the shop's models, and say what they say of `others`. Skips, saying so,
where the data is absent. `--write`: makes the table anew, which takes no data.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.colours.table import made_table
from benchmarks.harness.result import REPOSITORY, rounded, write_result
from benchmarks.retrieval.catalogue import lines, shared_data
from benchmarks.retrieval.features import seen
from schemas.features.colours.told import NAMES, colour_codes, main_colour, shown_colours
from schemas.features.stored import feature_bytes
from vision.embedder import create_embedder

ENCODER = "efficientnet_lite0_blocks"
SEED = 1
_SPELLED = {"gray": "grey", "lavender": "purple"}
_TIMED = 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make the table, in schemas/features/colours")
    arguments = parser.parse_args()
    if arguments.write:
        np.save(REPOSITORY / "schemas" / "features" / "colours" / "table.npy", made_table())
    folder = shared_data() / "apparel"
    if not folder.is_dir():
        print(f"skipped: {folder} is absent (VITRINE_SHARED names the folder above data)")
        return 0
    embedder = create_embedder(ENCODER, threads=1)
    known = seen(folder, "product_id", embedder)
    products = np.concatenate([known.product, known.wanted])
    given = {each["product_id"]: each["colour"].lower() for each in lines(folder / "products.jsonl")}
    colours = [_SPELLED.get(given[product], given[product]) for product in products.tolist()]
    features = feature_bytes(np.concatenate([known.items, known.queries]), embedder.extractor_id)
    codes = colour_codes(features, embedder.extractor_id)
    began = time.process_time()
    for start in range(0, len(features), _TIMED):
        colour_codes(features[start : start + _TIMED], embedder.extractor_id)
    figures: dict[str, Any] = {"us_a_picture": (time.process_time() - began) * 1e6 / len(features)}
    chosen_by = _half(products)
    for name, rows in (("chosen_by", chosen_by), ("others", ~chosen_by)):
        numbers = np.flatnonzero(rows).tolist()
        figures[name] = _figures([codes[number] for number in numbers], [colours[number] for number in numbers])
    figures["others"]["main_by_colour"] = _by_colour(np.flatnonzero(~chosen_by).tolist(), codes, colours)
    write_result("colours", {"encoder": embedder.extractor_id, "seed": SEED}, rounded(figures))
    return 0


def _half(products: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Pictures of half of the models; a model's colours are in one half."""
    models = np.array([product.split("-")[0] for product in products.tolist()])
    names = np.unique(models)
    return np.isin(models, np.random.default_rng(SEED).permutation(names)[: len(names) // 2])


def _figures(codes: list[int], colours: list[str]) -> dict[str, Any]:
    shown = [shown_colours(code) for code in codes]
    mains = [main_colour(code) for code in codes]
    named = np.array([colour in each for each, colour in zip(shown, colours, strict=True)])
    pink = np.array([colour == "red" and "pink" in each for each, colour in zip(shown, colours, strict=True)])
    right = np.array([colour == main for main, colour in zip(mains, colours, strict=True)])
    pinkish = np.array([colour == "red" and main == "pink" for main, colour in zip(mains, colours, strict=True)])
    of_one = np.array([bool(main) for main in mains])
    return {
        "pictures": len(codes),
        "named": named.mean(),
        "named_pink_as_red": (named | pink).mean(),
        "names_a_picture": np.mean([len(each) for each in shown]),
        "of_one_colour": of_one.mean(),
        "main_right": right[of_one].mean(),
        "main_right_error": np.sqrt(right[of_one].mean() * (1 - right[of_one].mean()) / of_one.sum()),
        "main_right_pink_as_red": (right | pinkish)[of_one].mean(),
    }


def _by_colour(numbers: list[int], codes: list[int], colours: list[str]) -> dict[str, dict[str, int]]:
    """By the shop's colour, how often pictures that are of one colour were called what."""
    told: dict[str, dict[str, int]] = {name: {} for name in NAMES}
    for number in numbers:
        if main := main_colour(codes[number]):
            told[colours[number]][main] = told[colours[number]].get(main, 0) + 1
    return {colour: mains for colour, mains in told.items() if mains}


if __name__ == "__main__":
    sys.exit(main())
