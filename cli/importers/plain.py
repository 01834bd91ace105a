"""Values as drivers and readers give them, as JSON can say them."""

from __future__ import annotations

import math
from datetime import date, time
from decimal import Decimal
from typing import Any


def plain_value(value: Any) -> Any:
    """None for numbers that are none, which is how many tools write a missing one, and for bytes."""
    match value:
        case float():
            return None if math.isnan(value) else value
        case Decimal():
            return float(value) if value.is_finite() else None
        case date() | time():  # a datetime is a date
            return value.isoformat()
        case bytes():
            return None
        case list() | tuple():
            return [plain_value(each) for each in value]
        case dict():
            return {str(name): plain_value(each) for name, each in value.items()}
        case None | bool() | int() | str():
            return value
        case _:
            return str(value)
