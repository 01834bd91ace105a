"""What tells two products apart whose pictures are one: the shop says that they are of different colours.

A picture that was coloured anew shows the same thing to a network and to a perceptual hash alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COLOUR = "colour"


def colour_of(attributes: Mapping[str, Any]) -> str:
    """The colour that the shop states, whatever its case; "" where it states none."""
    stated = attributes.get(COLOUR)
    return stated.strip().casefold() if isinstance(stated, str) else ""


def told_apart(left: str, right: str) -> bool:
    """Whether two products of these colours are different for certain."""
    return bool(left and right) and left != right
