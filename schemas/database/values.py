"""What a column's value is as an attribute; the same whether a driver or Debezium has read it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from schemas.database.mapping import Column, Shown
from schemas.errors import RejectedError
from schemas.events.attributes import TEXT_ATTRIBUTES

_NUMBERS = ("price", "praise")


def attribute(name: str, value: Any, column: Column) -> Any:
    """The attribute's value; None where the column is empty. Raises `RejectedError(name, ...)` for what is none.

    Those with a meaning are of their type, whatever the column's; others are as the database has them.
    """
    if is_empty(value):
        return None
    if column.json and isinstance(value, str):
        value = _parsed(name, value)
    if name in TEXT_ATTRIBUTES:
        return text(name, value)
    if name == "sales":
        return _whole(name, _number(name, value, column.factor))
    if name in _NUMBERS or column.factor != 1.0:
        return float(_number(name, value, column.factor))
    return value


def is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def text(name: str, value: Any) -> str:
    """Text, or a number written out; a whole one without a decimal point."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise RejectedError(name, f"{_shown(value)} is no text")


def is_shown(value: Any, shown: Shown) -> bool:
    """Whether shoppers may find the product. Raises `RejectedError('shown', ...)` for what says neither."""
    if shown.empty:
        return is_empty(value)
    if shown.values:
        # True is no 1 here, but 1.0 is: a NUMERIC column has it so.
        return any(isinstance(value, bool) == isinstance(each, bool) and value == each for each in shown.values)
    if value is None:
        return False
    if isinstance(value, bool | int | float):
        return bool(value)
    raise RejectedError("shown", f"{_shown(value)} in {shown.column} says neither; name the values that show a product")


def version_of(value: Any) -> int | None:
    """A whole number as it is, a time as microseconds since 1970 (UTC where it has no zone); None for an empty column.

    Raises `RejectedError('version', ...)`.
    """
    if is_empty(value):
        return None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return _whole("version", _number("version", value, 1.0))
        since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.fromtimestamp(0, UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return _whole("version", _number("version", value, 1.0))


def _number(name: str, value: Any, factor: float) -> Decimal:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            number = Decimal("nan")
        if number.is_finite():
            return number * Decimal(str(factor)) if factor != 1.0 else number
    raise RejectedError(
        name,
        f"{_shown(value)} is no number; of a NUMERIC column without a schema, have Debezium write double "
        "(decimal.handling.mode)",
    )


def _whole(name: str, number: Decimal) -> int:
    if number != number.to_integral_value() or abs(number) >= 2**63:
        raise RejectedError(name, f"{number} is no whole number")
    return int(number)


def _parsed(name: str, value: str) -> Any:
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RejectedError(name, f"{_shown(value)} is not JSON ({error}); leave json out of the mapping") from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
