"""A shop whose pictures are planted by what its titles say: colours, kinds, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.deltas.delta import DeltaBatch
from tests.support.serving.world import batch, direction, listed, near

COLOURS = ("red", "green", "blue", "black", "white", "yellow")
KINDS = ("boot", "hat", "scarf", "jacket", "bag")
BRANDS = ("Acme", "Nord", "Strider", "Ostia", "Palma", "Quill", "Rho", "Senna")


def look(colour: str, kind: str) -> NDArray[np.float32]:
    """Colour counts more than kind."""
    whole = direction(1) + 1.2 * direction(100 + COLOURS.index(colour)) + direction(200 + KINDS.index(kind))
    return np.asarray(whole / np.linalg.norm(whole), dtype="<f4")


def goods() -> dict[str, dict[str, Any]]:
    """240 products by id, their ids telling colour and kind."""
    return {
        f"{colour}-{kind}-{brand}".lower(): {
            "title": f"{brand} {colour} {kind}",
            "category": f"goods/{kind}",
            "colour": colour,
            "brand": brand,
            "price": float(number),
        }
        for number, (brand, kind, colour) in enumerate(
            (brand, kind, colour) for brand in BRANDS for kind in KINDS for colour in COLOURS
        )
    }


def stocked(most: int = 1000) -> DeltaBatch:
    """All of them, or the first `most`, each with one picture."""
    deltas = batch()
    for number, (product, fields) in enumerate(list(goods().items())[:most]):
        listed(deltas, product, [near(look(fields["colour"], product.split("-")[1]), 1000 + number, 0.15)], **fields)
    return deltas
