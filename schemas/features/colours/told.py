"""Which colours a picture shows: a pure function of its stored base features, by name (docs/adr/0061).

The `colour` block is the root of a smoothed histogram, which is linear in the picture's foreground. So a fixed linear
map tells how much of that is called what: one by which the shares of all colours come out right, as nearly as the
histogram allows. What looks like skin is told apart: of a person who wears something it is left out, of a leather bag
it is the bag.

A picture's colours are one number, its *code*: 0 where none is known, else a bit for each name, and above these the
place of the main one, from 1. Nothing else of them is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from schemas.features.blocks import COLOUR, blocks_of, spans
from schemas.features.coded import coded_length
from schemas.features.stored import bare_features

NAMES = ("black", "white", "grey", "red", "green", "yellow", "blue", "brown", "orange", "pink", "purple")
"""The basic colour terms of English (Berlin and Kay, "Basic Color Terms", 1969)."""
CODE_BITS = len(NAMES) + 4

MAIN = 50
"""Least percentage of the foreground that a picture's one colour has."""
SHOWN = 12
"""The same of a colour that it shows among others."""
WORN = 60
"""From this percentage on what looks like skin is none."""


def colour_codes(features: Sequence[bytes], extractor_id: str) -> list[int]:
    """Of each of these features, of one length but for what is behind it. 0 for all where an extractor tells none.

    In whole numbers: equal features have equal colours, whatever is beside them and whoever computes it.
    """
    place = _place(extractor_id)
    if place is None or not features:
        return [0] * len(features)
    length, block = place
    bare = bare_features(features, extractor_id)
    table = np.frombuffer(b"".join(bare), np.int8).reshape(len(features), length)
    # Of the block's greatest number: what it is does not matter to shares.
    return codes_of(table[:, block].astype(np.int64) ** 2)


def codes_of(histograms: NDArray[np.int64]) -> list[int]:
    """Of smoothed histograms (n, 512), each in a unit of its own."""
    amounts = amounts_of(histograms)
    whole = amounts.sum(axis=1)
    shown = (100 * amounts >= SHOWN * whole[:, None]) @ (1 << np.arange(len(NAMES)))
    main = np.where(100 * amounts.max(axis=1) >= MAIN * whole, amounts.argmax(axis=1) + 1, 0)
    codes: list[int] = np.where(whole > 0, shown | main << len(NAMES), 0).tolist()
    return codes


def amounts_of(histograms: NDArray[np.int64]) -> NDArray[np.int64]:
    """How much of each foreground is called what, (n, names), in no unit; zeros of a histogram that is empty."""
    told = np.maximum(histograms @ _table(), 0)
    plain, skin = told[:, : len(NAMES)], told[:, len(NAMES) :]
    worn = 100 * skin.sum(axis=1, keepdims=True) < WORN * told.sum(axis=1, keepdims=True)
    amounts: NDArray[np.int64] = np.where(worn, plain, plain + skin)
    return amounts


@lru_cache(maxsize=1 << CODE_BITS)
def shown_colours(code: int) -> tuple[str, ...]:
    """The names of all colours that a picture shows, in the order of `NAMES`."""
    return tuple(name for place, name in enumerate(NAMES) if code >> place & 1)


def main_colour(code: int) -> str:
    """The name of the colour that a picture is of; "" where it is of none, or of several."""
    main = code >> len(NAMES)
    return NAMES[main - 1] if 0 < main <= len(NAMES) else ""


@lru_cache(maxsize=64)
def _place(extractor_id: str) -> tuple[int, slice] | None:
    """(bytes of a feature, where among them the numbers of its colours lie); None where there are none."""
    blocks = blocks_of(extractor_id)
    for number, (block, span) in enumerate(zip(blocks, spans(blocks), strict=True)):
        if block.name == COLOUR:
            scales = coded_length(blocks[: number + 1]) - span.stop
            return coded_length(blocks), slice(span.start + scales, span.stop + scales)
    return None


@lru_cache(maxsize=1)
def _table() -> NDArray[np.int64]:
    """(512, twice the names): of what does not look like skin, then of what does."""
    with files("schemas.features.colours").joinpath("table.npy").open("rb") as file:
        table: NDArray[np.int16] = np.load(file, allow_pickle=False)
    return table.astype(np.int64)
