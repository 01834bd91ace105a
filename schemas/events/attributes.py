"""What a product's attributes may be: types of the known ones, and what of the others can be stored."""

from __future__ import annotations

from typing import Any

from schemas.errors import RejectedError

MAX_DEPTH = 32
"""Lists and objects within one another in an attribute's value."""

TEXT_ATTRIBUTES = ("title", "category", "brand", "colour")
_TEXTS = frozenset(TEXT_ATTRIBUTES)


def check_attributes(product: dict[str, Any]) -> None:
    """Types of the known attributes; null is always allowed (it deletes). Values are as JSON gives them."""
    for name, value in product.items():
        if value is None:
            continue
        kind = type(value)  # exact, so that true is no number; and half the cost of isinstance
        if name in _TEXTS:
            if kind is not str:
                raise RejectedError("invalid_event", f"product.{name} must be text, found {kind.__name__}")
        elif name == "price":
            if (kind is not float and kind is not int) or not 0 <= value < 1e15:
                raise RejectedError("invalid_event", "product.price must be a number from 0 to 1e15")
        elif name == "sales":
            if kind is not int or not 0 <= value < 2**62:
                raise RejectedError("invalid_event", "product.sales must be a whole number from 0")
        elif name == "praise":
            if (kind is not float and kind is not int) or not 0 <= value <= 1:
                raise RejectedError("invalid_event", "product.praise must be a number from 0 to 1")
        elif kind is not str and kind is not float:
            _check_storable(name, value)


def _check_storable(name: str, value: int | list[Any] | dict[str, Any]) -> None:
    """Refuses what JSON can say and the stores cannot hold: whole numbers beyond 64 bits, deep nesting."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        if any(isinstance(each, int) and not -(2**63) <= each < 2**63 for each in level):
            raise RejectedError("invalid_event", f"product.{name[:100]}: whole numbers must fit 64 bits")
        containers = [each for each in level if isinstance(each, list | dict)]
        if not containers:
            return
        level = [inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)]
    raise RejectedError("invalid_event", f"product.{name[:100]} is nested deeper than {MAX_DEPTH} levels")
